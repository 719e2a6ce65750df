"""An API server as a site."""

from __future__ import annotations

from odahu_argo.client.kept_at_server import connections_at, toolchains_at
from odahu_argo.client.requests import Server
from odahu_argo.client.site import Site
from odahu_argo.client.trainings_at_server import TrainingsAtServer


def at_server(server: Server) -> Site:
    """The trainings, connections and toolchains that the server keeps."""
    return Site(
        place=f"at {server.address}",
        arguments=f"--url {server.address}",
        ending="train delete ends and removes it",
        trainings=TrainingsAtServer(server),
        connections=connections_at(server),
        toolchains=toolchains_at(server),
    )
