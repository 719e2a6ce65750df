"""Queues of Kueue for the teams and node pools of a profile: print them for kubectl, or install them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from odahu_argo.errors import UserError
from odahu_argo.install.namespace import InstalledObject
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.cluster import CLUSTER_QUEUE, LOCAL_QUEUE, RESOURCE_FLAVOR, Cluster, Kind, Object
from odahu_argo.pools import GpuPool, Pool
from odahu_argo.profile import Profile
from odahu_argo.teams import Team
from odahu_argo.templates import render

_KINDS: dict[str, Kind] = {kind.name: kind for kind in (RESOURCE_FLAVOR, CLUSTER_QUEUE, LOCAL_QUEUE)}


def queue_manifests(profile: Profile, namespace: str) -> str:
    """Return a ResourceFlavor for each node pool with a quota, and a ClusterQueue and a LocalQueue for each team.

    Raises:
        UserError: the profile has no teams.
    """
    if not profile.teams:
        raise UserError("the profile has no teams", hint="add teams with their quotas: docs/guides/queues.md")
    used = {name for team in profile.teams for name in team.quota}
    pools = [pool for pool in (*profile.pools.cpu, *profile.pools.gpu) if pool.name in used]
    gpus = dict.fromkeys(pool.resource_name for pool in pools if isinstance(pool, GpuPool))
    return render(
        "queues.yaml.j2",
        api_version=CLUSTER_QUEUE.api_version,
        pools=pools,
        resources=["cpu", "memory", *gpus],
        teams=[
            {
                "name": team.name,
                "namespace": team.namespace or namespace,
                "flavors": [_flavor(team, pool, list(gpus)) for pool in pools if pool.name in team.quota],
            }
            for team in profile.teams
        ],
    )


def _flavor(team: Team, pool: Pool, gpus: list[str]) -> dict[str, Any]:
    """Return the quota of a team. Kueue requires an amount of each covered resource."""
    quota = team.quota[str(pool.name)]
    own = pool.resource_name if isinstance(pool, GpuPool) else ""
    devices = {name: quota.gpu if name == own else "0" for name in gpus}
    return {"name": pool.name, "amounts": {"cpu": quota.cpu, "memory": quota.memory, **devices}}


def install_queues(connect: Callable[[str], Cluster], manifests: str, namespace: str) -> Iterator[InstalledObject]:
    """Apply the objects of `queue_manifests`, after a dry run of all of them. `connect` opens a namespace.

    Raises:
        NotFound: the cluster has no Kueue, or a namespace does not exist. Nothing was changed.
        Forbidden, Rejected: the API server does not accept an object. Nothing was changed.
        Unreachable: the API server does not respond.
    """
    objects: list[Object] = list(yaml.safe_load_all(manifests))
    namespaces = {body["metadata"].get("namespace", namespace) for body in objects}
    clusters = {name: connect(name) for name in sorted(namespaces)}
    for is_dry_run in (True, False):
        for body in objects:
            cluster, kind = clusters[body["metadata"].get("namespace", namespace)], _KINDS[body["kind"]]
            if is_dry_run:
                cluster.apply(kind, body, dry_run=True)
            else:
                yield InstalledObject(kind.name, body["metadata"]["name"], kube_apply.apply(cluster, kind, body))
