"""The connections and toolchains of a cluster's namespace, for commands."""

from __future__ import annotations

from dataclasses import dataclass

from odahu_argo.client.site import Form
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.submit import connections, toolchains
from odahu_argo.submit.applying import Outcome
from odahu_argo.submit.cluster import Cluster
from odahu_argo.submit.secrets import connection_form, connection_to_secret
from odahu_argo.submit.toolchains import toolchain_to_config_map


@dataclass(frozen=True, slots=True)
class ConnectionsOnCluster:
    """The Secrets `connection-<id>` of the namespace."""

    cluster: Cluster

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id."""
        return [connection_form(secret, decrypted) for secret in connections.list_connections(self.cluster)]

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One."""
        return connection_form(connections.find_connection(self.cluster, wanted), decrypted)

    def check(self, manifest: Connection) -> None:
        """See that the API would take its Secret."""
        connections.check(self.cluster, connection_to_secret(manifest))

    def require(self, wanted: str) -> None:
        """See that there is one."""
        connections.find_connection(self.cluster, wanted)

    def require_own(self, wanted: str) -> None:
        """See that there is one."""
        connections.find_connection(self.cluster, wanted)

    def create(self, manifest: Connection, dry_run: bool = False) -> None:
        """Make its Secret."""
        connections.create(self.cluster, connection_to_secret(manifest), dry_run)

    def apply(self, manifest: Connection) -> Outcome:
        """Make its Secret, or bring it up to date."""
        return connections.apply(self.cluster, connection_to_secret(manifest))

    def delete(self, wanted: str) -> list[str]:
        """Remove its Secret; says who goes on and mounts it."""
        users = connections.delete(self.cluster, wanted)
        return [f"{', '.join(users)} goes on and names it: steps that mount it will not start"] if users else []


@dataclass(frozen=True, slots=True)
class ToolchainsOnCluster:
    """The ConfigMaps `toolchain-<id>` of the namespace, and what is built in."""

    cluster: Cluster

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id; none holds a secret."""
        return toolchains.list_toolchains(self.cluster)

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One."""
        return toolchains.get_toolchain(self.cluster, wanted)

    def check(self, manifest: ToolchainIntegration) -> None:
        """See that the API would take its ConfigMap."""
        toolchains.check(self.cluster, toolchain_to_config_map(manifest))

    def require(self, wanted: str) -> None:
        """See that there is one, or one is built in."""
        toolchains.require_known(self.cluster, wanted)

    def require_own(self, wanted: str) -> None:
        """See that the namespace has one."""
        toolchains.find_toolchain(self.cluster, wanted)

    def create(self, manifest: ToolchainIntegration, dry_run: bool = False) -> None:
        """Make its ConfigMap."""
        toolchains.create(self.cluster, toolchain_to_config_map(manifest), dry_run)

    def apply(self, manifest: ToolchainIntegration) -> Outcome:
        """Make its ConfigMap, or bring it up to date."""
        return toolchains.apply(self.cluster, toolchain_to_config_map(manifest))

    def delete(self, wanted: str) -> list[str]:
        """Remove its ConfigMap."""
        toolchains.delete(self.cluster, wanted)
        return []
