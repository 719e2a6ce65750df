"""The toolchains of a cluster's namespace."""

from __future__ import annotations

from dataclasses import dataclass

from odahu_argo.errors import UserError
from odahu_argo.kube.cluster import Cluster
from odahu_argo.manifest.models import ToolchainIntegration
from odahu_argo.resources import toolchains
from odahu_argo.server.schemas import as_manifest
from odahu_argo.server.source import Form, Updated


@dataclass(frozen=True, slots=True)
class ToolchainsOnArgo:
    """The ConfigMaps `toolchain-<id>` of the cluster's namespace, as `odahu-argo ti` keeps them, and those built in."""

    cluster: Cluster

    def all(self) -> list[Form]:
        """Every toolchain, by id."""
        return toolchains.list_toolchains(self.cluster)

    def get(self, toolchain_id: str) -> Form:
        """One toolchain."""
        return toolchains.get_toolchain(self.cluster, toolchain_id)

    def create(self, body: object) -> Form:
        """Keep a new toolchain."""
        toolchain = _toolchain(body)
        toolchains.create(self.cluster, toolchains.toolchain_to_config_map(toolchain))
        return self.get(toolchain.id)

    def update(self, body: object) -> Updated:
        """Replace a toolchain."""
        toolchain = _toolchain(body)
        config_map = toolchains.toolchain_to_config_map(toolchain)
        toolchains.require_known(self.cluster, toolchain.id)
        toolchains.validate(self.cluster, config_map)
        outcome = toolchains.apply(self.cluster, config_map)
        return Updated(self.get(toolchain.id), outcome != "unchanged")

    def delete(self, toolchain_id: str) -> None:
        """Remove a toolchain; a built-in one of its id counts again."""
        toolchains.delete(self.cluster, toolchain_id)


def _toolchain(body: object) -> ToolchainIntegration:
    manifests = as_manifest(body, "ToolchainIntegration")
    if manifests.problems:
        raise UserError(manifests.problems)
    [written] = manifests.toolchains
    return written.manifest
