"""The connections of a cluster's namespace."""

from __future__ import annotations

from dataclasses import dataclass

from odahu_argo.errors import UserError
from odahu_argo.kube.cluster import Cluster
from odahu_argo.manifest.models import Connection
from odahu_argo.odahu_api import as_base64
from odahu_argo.resources import connections
from odahu_argo.resources.connection_secret import connection_to_api, connection_to_secret
from odahu_argo.server.schemas import as_manifest
from odahu_argo.server.source import Form, Updated


@dataclass(frozen=True, slots=True)
class ConnectionsOnArgo:
    """The Secrets `connection-<id>` of the cluster's namespace, as `odahu-argo conn` keeps them."""

    cluster: Cluster

    def all(self) -> list[Form]:
        """Every connection, by id."""
        return [as_base64(connection_to_api(secret)) for secret in connections.list_connections(self.cluster)]

    def get(self, connection_id: str, decrypted: bool = False) -> Form:
        """One connection."""
        return as_base64(connection_to_api(connections.find_connection(self.cluster, connection_id), decrypted))

    def create(self, body: object) -> Form:
        """Keep a new connection."""
        connection = _connection(body)
        connections.create(self.cluster, connection_to_secret(connection))
        return self.get(connection.id)

    def update(self, body: object) -> Updated:
        """Replace a connection."""
        connection = _connection(body)
        secret = connection_to_secret(connection)
        connections.find_connection(self.cluster, connection.id)
        connections.validate(self.cluster, secret)
        outcome = connections.apply(self.cluster, secret)
        return Updated(self.get(connection.id), outcome != "unchanged")

    def delete(self, connection_id: str) -> None:
        """Remove a connection; trainings that go on and mount it will not start their next step."""
        connections.delete(self.cluster, connection_id)


def _connection(body: object) -> Connection:
    manifests = as_manifest(body, "Connection")
    if manifests.problems:
        raise UserError(manifests.problems)
    [written] = manifests.connections
    return written.manifest
