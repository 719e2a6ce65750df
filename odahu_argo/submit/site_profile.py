"""The profile that an operator has left on the cluster (`odahu-argo setup --apply`), for commands that are given none."""

from __future__ import annotations

from odahu_argo import naming
from odahu_argo.profile import Profile, parse
from odahu_argo.submit.cluster import CONFIG_MAP, Cluster, Denied, NotFound, NotLoggedIn


def installed_profile(cluster: Cluster) -> Profile:
    """The profile in the namespace's ConfigMap `odahu-argo-profile`, or the defaults where there is none.

    Raises:
        Denied: the account may not read it.
        UserError: it holds unknown or wrong settings.
    """
    try:
        found = cluster.get(CONFIG_MAP, naming.PROFILE_CONFIG_MAP)
    except NotFound:
        return Profile()
    except NotLoggedIn:
        raise
    except Denied as denied:
        place = f"the ConfigMap {naming.PROFILE_CONFIG_MAP} of namespace {cluster.namespace}"
        raise Denied(f"the profile, {place}, may not be read by you", "give it by --profile FILE") from denied
    text = (found.get("data") or {}).get(naming.PROFILE_KEY) or ""
    return parse(str(text), f"ConfigMap {cluster.namespace}/{naming.PROFILE_CONFIG_MAP}")
