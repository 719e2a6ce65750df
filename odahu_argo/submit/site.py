"""The cluster that trainings are sent to, with the settings that hold there."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.profile import Profile, load
from odahu_argo.submit.argo_server import WithArgoServer
from odahu_argo.submit.cluster import Cluster
from odahu_argo.submit.kube import connect
from odahu_argo.submit.site_profile import installed_profile


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
    whole = WithArgoServer(connected, settings.argo.url) if settings.argo.url else connected
    return whole, settings.model_copy(update={"namespace": connected.namespace})
