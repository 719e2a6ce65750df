"""The API upon a cluster's namespace."""

from __future__ import annotations

from odahu_argo.backends.views_kubernetes import argo_views
from odahu_argo.kube.cluster import Cluster
from odahu_argo.profile import Profile
from odahu_argo.server.connections_on_argo import ConnectionsOnArgo
from odahu_argo.server.source import Source
from odahu_argo.server.toolchains_on_argo import ToolchainsOnArgo
from odahu_argo.server.trainings_on_argo import TrainingsOnArgo


def argo(cluster: Cluster, settings: Profile) -> Source:
    """The trainings, connections and toolchains of the cluster's namespace, planned by the site's settings."""
    return Source(
        TrainingsOnArgo(cluster, settings),
        ConnectionsOnArgo(cluster),
        ToolchainsOnArgo(cluster),
        argo_views(cluster, settings),
    )
