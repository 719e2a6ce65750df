"""Migration of one connection: its manifest, and where its secret values go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.workflow_template import external_secret
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import SECRET_FIELDS
from odahu_argo.migration.export import Resource
from odahu_argo.profile import Profile
from odahu_argo.resources.connection_secret import MASK
from odahu_argo.uri import without_credentials

SecretMode = Literal["omit", "apply", "external", "files"]


@dataclass(frozen=True, slots=True)
class MigratedConnection:
    """Files of a connection by path, its Secret's connection if a cluster gets one, and what a person must do."""

    files: Mapping[str, str] = field(repr=False)
    connection: Connection | None = field(default=None, repr=False)
    decision: str = ""


def migrate_connection(resource: Resource, profile: Profile, mode: SecretMode) -> MigratedConnection:
    """Return the files of a connection. Only the mode `files` writes secret values into them."""
    path = f"connections/{resource.id}.yaml"
    spec = {name: value for name, value in resource.spec.items() if value not in (None, "") and value != MASK}
    unreadable = ", ".join(name for name in SECRET_FIELDS if resource.spec.get(name) == MASK)
    public = _without_secrets(spec)
    if mode == "files":
        decision = f"set {unreadable}: the values could not be read" if unreadable else ""
        return MigratedConnection({path: to_text(resource, spec)}, decision=decision)
    files = {path: to_text(resource, public)}
    if mode == "external":
        files[f"external-secrets/{resource.id}.yaml"] = to_yaml([external_secret(profile, resource.id)])
        key, properties = f"{profile.external_secrets.prefix}{resource.id}", ", ".join(resource.spec)
        return MigratedConnection(files, decision=f"store it under the key {key} with the properties {properties}")
    if mode == "apply" and not unreadable:
        try:
            return MigratedConnection(files, Connection.model_validate({"id": resource.id, "spec": spec}))
        except ValidationError:
            return MigratedConnection(files, decision="its Secret was not created: the connection is not valid")
    secrets = [name for name in SECRET_FIELDS if resource.spec.get(name)]
    secrets += ["the credentials in uri"] if public.get("uri") != spec.get("uri") else []
    reason = "which could not be read" if mode == "apply" else "which were not exported"
    return MigratedConnection(
        files, decision=f"create its Secret with {', '.join(secrets)}, {reason}" if secrets else ""
    )


def _without_secrets(spec: Mapping[str, Any]) -> dict[str, Any]:
    public = {name: value for name, value in spec.items() if name not in SECRET_FIELDS}
    return {**public, "uri": without_credentials(spec["uri"])} if isinstance(spec.get("uri"), str) else public


def to_text(resource: Resource, spec: Mapping[str, Any]) -> str:
    """Return a manifest of the resource as YAML."""
    return to_yaml([{"kind": resource.kind, "id": resource.id, "spec": dict(spec)}])
