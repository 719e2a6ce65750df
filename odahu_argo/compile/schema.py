"""What we emit, held against hera-workflows' models of Argo. The only place that imports hera, and only when asked to.

hera's models ignore a field that they do not know, so a round trip through them is compared with what went in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from odahu_argo.document import field_name
from odahu_argo.errors import Problem, Where
from odahu_argo.yaml_values import Path

NEWER_THAN_HERA = frozenset({"pendingTimeout"})
"""Fields of Argo 4.1 that hera 7.1, generated from Argo 4.0.5, does not have."""

Object = dict[str, Any]


def refused_fields(workflow: Object) -> list[Problem]:
    """A problem for each field of a Workflow, WorkflowTemplate or CronWorkflow that hera's models do not take."""
    from hera.workflows import models
    from pydantic import ValidationError

    name = workflow.get("metadata", {}).get("name", "workflow")
    try:
        taken = getattr(models, workflow["kind"]).model_validate(workflow)
    except ValidationError as error:
        return [
            Problem(f"Argo's model refuses it: {detail['msg']}", Where(name, field=field_name(tuple(detail["loc"]))))
            for detail in error.errors(include_url=False, include_input=False)
        ]
    kept = taken.model_dump(by_alias=True, exclude_none=True, mode="json")
    return [
        Problem("Argo's model does not know this field", Where(name, field=field_name(path)))
        for path in _lost(workflow, kept, ())
    ]


def _lost(given: Any, kept: Any, path: Path) -> Iterator[Path]:
    """The paths in `given` that `kept` does not have."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from _lost(value, kept[key], (*path, key))
            elif key not in NEWER_THAN_HERA:
                yield (*path, key)
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(one, other, (*path, index))
