"""Validation of compiled objects against hera's models of Argo.

This is the only module that imports hera, and it does so lazily. hera's models ignore unknown fields, so validation compares
the input with its round trip through a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from odahu_argo.document import field_name
from odahu_argo.errors import Location, Problem
from odahu_argo.yaml_values import Path

NEWER_THAN_HERA = frozenset({"pendingTimeout"})
"""Fields of Argo 4.1 that hera 7.1, which is generated from Argo 4.0.5, does not have."""

Object = dict[str, Any]


def schema_errors(workflow: Object) -> list[Problem]:
    """Return a problem for each invalid or unknown field of a Workflow, WorkflowTemplate or CronWorkflow."""
    from hera.workflows import models
    from pydantic import ValidationError

    name = workflow.get("metadata", {}).get("name", "workflow")
    try:
        model = getattr(models, workflow["kind"]).model_validate(workflow)
    except ValidationError as error:
        return [
            Problem(f"invalid for Argo: {detail['msg']}", Location(name, field=field_name(tuple(detail["loc"]))))
            for detail in error.errors(include_url=False, include_input=False)
        ]
    round_trip = model.model_dump(by_alias=True, exclude_none=True, mode="json")
    return [
        Problem("unknown field for Argo", Location(name, field=field_name(path)))
        for path in _missing_paths(workflow, round_trip, ())
    ]


def _missing_paths(original: Any, round_trip: Any, path: Path) -> Iterator[Path]:
    """Yield the paths of `original` that are missing in `round_trip`."""
    if isinstance(original, dict) and isinstance(round_trip, dict):
        for key, value in original.items():
            if key in round_trip:
                yield from _missing_paths(value, round_trip[key], (*path, key))
            elif key not in NEWER_THAN_HERA:
                yield (*path, key)
    elif isinstance(original, list) and isinstance(round_trip, list):
        for index, (before, after) in enumerate(zip(original, round_trip, strict=True)):
            yield from _missing_paths(before, after, (*path, index))
