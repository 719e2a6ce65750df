"""A cluster's namespace as a site."""

from __future__ import annotations

from odahu_argo.client.kept_on_cluster import ConnectionsOnCluster, ToolchainsOnCluster
from odahu_argo.client.site import Site
from odahu_argo.client.trainings_on_cluster import TrainingsOnCluster
from odahu_argo.profile import Profile
from odahu_argo.submit.cluster import Cluster


def on_cluster(cluster: Cluster, settings: Profile) -> Site:
    """The trainings, connections and toolchains of the cluster's namespace."""
    return Site(
        place=f"in namespace {cluster.namespace}",
        arguments=f"-n {cluster.namespace}",
        ending="train stop ends it",
        trainings=TrainingsOnCluster(cluster, settings),
        connections=ConnectionsOnCluster(cluster),
        toolchains=ToolchainsOnCluster(cluster),
    )
