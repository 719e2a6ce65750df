"""The cluster that trainings are sent to, with the settings that hold there."""

from __future__ import annotations

from pathlib import Path

from odahu_argo import naming
from odahu_argo.errors import Forbidden, NotFound, Unauthorized
from odahu_argo.kube.argo_server import ArgoServer, ClusterWithArgoServer
from odahu_argo.kube.client import connect
from odahu_argo.kube.cluster import CONFIG_MAP, Cluster
from odahu_argo.profile import Profile, load, parse


def installed_profile(cluster: Cluster) -> Profile:
    """The profile in the namespace's ConfigMap `odahu-argo-profile`, or the defaults where there is none.

    Raises:
        Forbidden: the account may not read it.
        UserError: it holds unknown or wrong settings.
    """
    try:
        found = cluster.get(CONFIG_MAP, naming.PROFILE_CONFIG_MAP)
    except NotFound:
        return Profile()
    except Unauthorized:
        raise
    except Forbidden as denied:
        place = f"the ConfigMap {naming.PROFILE_CONFIG_MAP} of namespace {cluster.namespace}"
        raise Forbidden(f"the profile, {place}, may not be read by you", "give it by --profile FILE") from denied
    text = (found.get("data") or {}).get(naming.PROFILE_KEY) or ""
    return parse(str(text), f"ConfigMap {cluster.namespace}/{naming.PROFILE_CONFIG_MAP}")


def site(profile: Path | None, namespace: str | None, context: str | None) -> tuple[Cluster, Profile]:
    """The cluster, and the profile with the cluster's namespace in it.

    The namespace is the one given, else the profile's, else the kubeconfig's. Without a profile file it is the profile that
    `setup --apply` has left in the namespace, else the defaults.

    Raises:
        UserError: there is no such context, or the profile cannot be read or used.
        Unreachable: the API does not answer.
    """
    given = None if profile is None else load(profile)
    connected = connect(namespace or (given.namespace if given else None), context)
    settings = installed_profile(connected) if given is None else given
    whole = ClusterWithArgoServer(connected, ArgoServer(settings.argo.url)) if settings.argo.url else connected
    return whole, settings.model_copy(update={"namespace": connected.namespace})
