"""The manifests' JSON schemas, as the OpenAPI document has them."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration


def manifest_schemas() -> dict[str, Any]:
    """Each manifest and what it is made of, by name. Bodies may be sent without `kind`."""
    kinds = (ModelTraining, Connection, ToolchainIntegration)
    _, schema = models_json_schema(
        [(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}", by_alias=True
    )
    found: dict[str, Any] = schema["$defs"]
    return found
