"""`mt.json`: the description of a training that ODAHU's operator wrote for a toolchain's program.

Source: `K8sTrainer` in odahu-flow (`operator/pkg/apis/training/builder.go`), which its Python SDK reads. Unlike ODAHU's, the
document contains no secrets: those of the connections are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.resolve import ResolvedTraining
from odahu_argo.uri import without_credentials

_PUBLIC_FIELDS = ("type", "region", "role", "reference", "description", "webUILink")


def trainer_manifest(resolved: ResolvedTraining, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `K8sTrainer` of a training whose specification with ODAHU's defaults is `spec`."""
    training, toolchain = resolved.training, resolved.toolchain
    code = training.spec.code
    return {
        "algorithmSourceConnection": _connection(resolved, code.connection or ""),
        "inputData": [
            {
                "localPath": binding.local_path,
                "remotePath": binding.remote_path,
                "dataBinding": _connection(resolved, binding.source)["spec"],
            }
            for binding in training.spec.data
        ],
        "outputConn": _connection(resolved, resolved.output_connection),
        "modelTraining": {"id": training.id, "spec": dict(spec)},
        "toolchainIntegration": {
            "id": toolchain.id,
            "spec": toolchain.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
    }


def _connection(resolved: ResolvedTraining, name: str) -> dict[str, Any]:
    connection: Connection | None = resolved.connections.get(name)
    if connection is None:
        return {"id": name, "spec": {}}
    fields = connection.spec.model_dump(mode="json", by_alias=True)
    public = {field: fields[field] for field in _PUBLIC_FIELDS if fields[field]}
    return {"id": name, "spec": {"uri": without_credentials(connection.spec.uri), **public}}
