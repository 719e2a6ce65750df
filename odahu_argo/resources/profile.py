"""The profile that `setup --apply` stores on the cluster."""

from __future__ import annotations

from pathlib import Path

from odahu_argo import naming
from odahu_argo.errors import Forbidden, NotFound, Unauthorized
from odahu_argo.kube.argo_server import ArgoServer
from odahu_argo.kube.client import connect
from odahu_argo.kube.cluster import CONFIG_MAP, Cluster
from odahu_argo.profile import Profile, load_profile, parse_profile


def connect_with_profile(profile: Path | None, namespace: str | None, context: str | None) -> tuple[Cluster, Profile]:
    """Connect to the cluster and return it with its profile. The profile's namespace is that of the cluster.

    The namespace is the first that is set: `namespace`, the profile's, the kubeconfig's. Without a profile file, the profile
    on the cluster applies, or the defaults if there is none.

    Raises:
        UserError: the context does not exist, or the profile cannot be read or is invalid.
        Forbidden: the account cannot read the profile on the cluster.
        Unreachable: the API server does not respond.
    """
    from_file = None if profile is None else load_profile(profile)
    cluster = connect(namespace or (from_file.namespace if from_file else None), context)
    settings = installed_profile(cluster) if from_file is None else from_file
    if settings.argo.url:
        cluster.argo_server = ArgoServer(settings.argo.url)
    return cluster, settings.model_copy(update={"namespace": cluster.namespace})


def installed_profile(cluster: Cluster) -> Profile:
    """Read the profile from the ConfigMap `odahu-argo-profile`; return the defaults if it does not exist.

    Raises:
        Forbidden: the account cannot read the ConfigMap.
        UserError: the profile contains unknown or invalid settings.
    """
    try:
        config_map = cluster.get(CONFIG_MAP, naming.PROFILE_CONFIG_MAP)
    except NotFound:
        return Profile()
    except Unauthorized:
        raise
    except Forbidden as error:
        raise Forbidden(
            f"no permission to read the profile: ConfigMap {naming.PROFILE_CONFIG_MAP} in namespace {cluster.namespace}",
            "pass the profile with --profile FILE",
        ) from error
    text = (config_map.get("data") or {}).get(naming.PROFILE_KEY) or ""
    return parse_profile(str(text), f"ConfigMap {cluster.namespace}/{naming.PROFILE_CONFIG_MAP}")
