"""Semantic comparison of compiled objects: the fields that differ, in readable words and grouped by step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from odahu_argo import contract, quantity

Fields = Mapping[tuple[str, str], str]
"""Values by field name and step. The step is empty for a field of the whole training."""

MAX_VALUE_LENGTH = 60
_SEPARATE_FIELDS = ("workflowMetadata", "podMetadata", "templates")
_TRAINING_FIELDS = ("hyper_parameters", "environment")
_AMOUNTS = {
    f"resources.{kind}s.{name}": f"{name} {kind}" for kind in ("limit", "request") for name in ("cpu", "memory")
}
_PREPARE_CONTAINER = f"initContainers[{contract.PREPARE}]"
_LABELS = {
    "container.image": "image",
    f"{_PREPARE_CONTAINER}.image": "image of prepare",
    **{f"container.{path}": label for path, label in _AMOUNTS.items()},
    **{f"{_PREPARE_CONTAINER}.{path}": f"{label} of prepare" for path, label in _AMOUNTS.items()},
    "activeDeadlineSeconds": "time-out in seconds",
    "hyper_parameters": "",
    "environment": "variable ",
}
_QUANTITY_LABELS = tuple(label + suffix for label in _AMOUNTS.values() for suffix in ("", " of prepare"))


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs, in the same way in all `steps`. `before` or `after` is None if the field is missing there."""

    field: str
    before: str | None
    after: str | None
    steps: tuple[str, ...]

    def __str__(self) -> str:
        steps = f" ({', '.join(self.steps)})" if self.steps else ""
        if self.before is None:
            return f"{self.field} {_format_value(self.after)} added{steps}"
        if self.after is None:
            return f"{self.field} {_format_value(self.before)} removed{steps}"
        return f"{self.field} {_format_value(self.before)} -> {_format_value(self.after)}{steps}"


def template_fields(template: Mapping[str, Any]) -> Fields:
    """Return the fields of a Workflow or WorkflowTemplate."""
    spec = template.get("spec") or {}
    fields = dict(spec_fields(template, excluded=_SEPARATE_FIELDS))
    for item in spec.get("templates") or ():
        step = str(item.get("name", ""))
        fields |= {(_LABELS.get(path, path), step): value for path, value in _flatten(_without_step_spec(item))}
        fields |= dict(_step_spec_fields(item, step))
    return fields


def spec_fields(item: Mapping[str, Any], excluded: tuple[str, ...]) -> Fields:
    """Return the fields of an object's specification, without the `excluded` ones."""
    spec = {name: value for name, value in (item.get("spec") or {}).items() if name not in excluded}
    return {(path, ""): value for path, value in _flatten(spec)}


def _step_spec_fields(template: Mapping[str, Any], step: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the fields of a step's specification. Hyperparameters and environment belong to the whole training."""
    for variable in (item for container in _containers(template) for item in container.get("env") or ()):
        if variable.get("name") != contract.STEP_VARIABLE:
            continue
        try:
            step_spec = json.loads(variable.get("value") or "{}")
        except ValueError:
            step_spec = {"specification": variable.get("value")}
        for name, value in step_spec.items():
            if name in _TRAINING_FIELDS and isinstance(value, dict):
                yield from (((_LABELS[name] + key, ""), str(item)) for key, item in value.items())
            else:
                yield (name.replace("_", " "), step), value if isinstance(value, str) else json.dumps(value)


def _without_step_spec(template: Mapping[str, Any]) -> Mapping[str, Any]:
    changed = dict(template)
    if template.get("initContainers"):
        changed["initContainers"] = [_without_specification(item) for item in template["initContainers"]]
    if template.get("container"):
        changed["container"] = _without_specification(template["container"])
    return changed


def _without_specification(container: Any) -> Any:
    if not isinstance(container, Mapping):
        return container
    environment = [item for item in container.get("env") or () if item.get("name") != contract.STEP_VARIABLE]
    return {**container, "env": environment}


def _containers(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the containers of a template that may have a step's specification."""
    containers = [*(template.get("initContainers") or ()), template.get("container")]
    return [container for container in containers if isinstance(container, Mapping)]


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each non-empty scalar with its path. List items are identified by name if all have one, else by index."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        have_names = all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in value)
        for index, item in enumerate(value):
            yield from _flatten(item, f"{path}[{item['name'] if have_names else index}]")
    elif value not in (None, ""):
        yield path, value if isinstance(value, str) else json.dumps(value)


def compare_fields(before: Fields, after: Fields) -> list[Difference]:
    """Return the differences, grouping the steps in which a field changes in the same way."""
    steps: dict[tuple[str, str | None, str | None], list[str]] = {}
    for field, step in dict.fromkeys([*after, *before]):
        old, new = before.get((field, step)), after.get((field, step))
        if old != new and not _is_equal_quantity(field, old, new):
            steps.setdefault((field, old, new), []).extend([step] if step else [])
    return [Difference(*change, tuple(names)) for change, names in steps.items()]


def _is_equal_quantity(field: str, before: str | None, after: str | None) -> bool:
    try:
        return field in _QUANTITY_LABELS and quantity.amount(before or "") == quantity.amount(after or "")
    except ValueError:
        return False


def _format_value(value: str | None) -> str:
    text = value or ""
    formatted = text if text and text.isprintable() and " " not in text else json.dumps(text, ensure_ascii=False)
    return formatted if len(formatted) <= MAX_VALUE_LENGTH else f"{formatted[:MAX_VALUE_LENGTH]}..."
