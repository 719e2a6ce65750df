"""Export of all resources of an ODAHU installation, through its API or from its custom resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odahu_argo.backends.remote_client import RemoteClient
from odahu_argo.errors import Forbidden, NotFound, UserError
from odahu_argo.kube.cluster import Cluster, Kind, Object
from odahu_argo.status.unstructured import mapping, text

OWN_KINDS = ("Connection", "ToolchainIntegration", "ModelTraining")
"""Kinds that become manifests of odahu-argo."""
_API_PATHS: Mapping[str, tuple[str, ...]] = {
    "Connection": ("connection",),
    "ToolchainIntegration": ("toolchain", "integration"),
    "ModelTraining": ("model", "training"),
    "PackagingIntegration": ("packaging", "integration"),
    "ModelPackaging": ("model", "packaging"),
    "ModelDeployment": ("model", "deployment"),
    "ModelRoute": ("model", "route"),
    "BatchInferenceService": ("batch", "service"),
}
"""Routes of ODAHU's API, below /api/v1 (odahu-flow 1.6, packages/operator/pkg/apiserver/routes/v1)."""
KINDS = tuple(_API_PATHS)
"""Kinds that are exported."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of ODAHU. `spec` may contain secret values."""

    kind: str
    id: str
    spec: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Export:
    """The resources of an installation, sorted by kind and ID. `notes` describe what could not be exported."""

    source: str
    resources: tuple[Resource, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a kind."""
        return [resource for resource in self.resources if resource.kind == kind]


def export_api(client: RemoteClient, with_secrets: bool) -> Export:
    """Export everything that the API returns. With `with_secrets`, also secret values that the token may read.

    Older versions of ODAHU have no routes for some of the kinds that are exported unchanged.

    Raises:
        UserError: trainings, connections or toolchains cannot be listed.
        Unreachable: the API does not answer.
    """
    found: dict[tuple[str, str], Resource] = {}
    notes: list[str] = []
    for kind, path in _API_PATHS.items():
        try:
            documents = client.get_pages(f"list {kind} resources", *path)
        except UserError as error:
            if kind in OWN_KINDS:
                raise
            if isinstance(error, Forbidden):
                notes.append(f"{kind}: {error.problems[0].message}")
            continue
        resources = [_from_api(kind, document) for document in documents]
        if kind == "Connection" and with_secrets:
            resources = [_decrypted(client, resource, notes) for resource in resources]
        _add(found, resources, notes)
    return Export(str(client.url), _sorted(found), tuple(notes))


def export_cluster(cluster: Cluster, context: str) -> Export:
    """Export the custom resources in all namespaces of a cluster.

    Since ODAHU 1.2, its database has trainings and packagings that are not on the cluster, and Vault can have the
    connections. The API returns these.

    Raises:
        Unreachable: the cluster does not answer.
    """
    found: dict[tuple[str, str], Resource] = {}
    notes: list[str] = []
    for kind in KINDS:
        custom_resource = Kind(kind, f"{kind.lower()}s", "odahuflow.odahu.org", "v1alpha1", namespaced=False)
        try:
            items = cluster.list(custom_resource).items
        except (NotFound, Forbidden) as error:
            if kind in OWN_KINDS or isinstance(error, Forbidden):
                notes.append(f"{kind}: {error.problems[0].message}")
            continue
        _add(found, [_from_object(kind, item) for item in items], notes)
    return Export(f"context {context}", _sorted(found), tuple(notes))


def _from_object(kind: str, item: Object) -> Resource:
    return Resource(kind, text(mapping(item.get("metadata")).get("name")), mapping(item.get("spec")))


def _from_api(kind: str, document: object) -> Resource:
    fields = mapping(document)
    return Resource(kind, text(fields.get("id")), mapping(fields.get("spec")))


def _decrypted(client: RemoteClient, connection: Resource, notes: list[str]) -> Resource:
    try:
        document = client.get(f"read the secret values of {connection.id}", "connection", connection.id, "decrypted")
    except UserError as error:
        notes.append(f"secret values of connection {connection.id}: {error.problems[0].message}")
        return connection
    return _from_api("Connection", document)


def _add(found: dict[tuple[str, str], Resource], resources: list[Resource], notes: list[str]) -> None:
    """Add resources, the first one of each ID."""
    for resource in resources:
        if (resource.kind, resource.id) in found:
            notes.append(f"{resource.kind} {resource.id}: exported once, although several namespaces have one")
        found.setdefault((resource.kind, resource.id), resource)


def _sorted(found: Mapping[tuple[str, str], Resource]) -> tuple[Resource, ...]:
    return tuple(found[key] for key in sorted(found))
