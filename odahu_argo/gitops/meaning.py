"""What rendered objects mean, without how they are written: facts that can be compared, and differences told in words.

Fields that the API or Argo fill in are left out: empty ones, metadata, status. What a WorkflowTemplate says twice (labels of
pods and runs, which repeat the training) is looked at once, in what its steps are told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from odahu_argo import contract, quantity

Facts = Mapping[tuple[str, str], str]
"""A value by what it is and by the step it belongs to, which is empty where it belongs to the whole training."""

_REPEATED = ("workflowMetadata", "podMetadata", "templates")
_OF_THE_TRAINING = ("hyper_parameters", "environment")
_WORDS = {
    "container.image": "image",
    "container.resources.limits.cpu": "cpu limit",
    "container.resources.limits.memory": "memory limit",
    "container.resources.requests.cpu": "cpu request",
    "container.resources.requests.memory": "memory request",
    "activeDeadlineSeconds": "time-out in seconds",
    "hyper_parameters": "",
    "environment": "variable ",
}
_AMOUNTS = ("cpu limit", "memory limit", "cpu request", "memory request")
LONGEST = 60
"""Characters of a value that is told."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What has another value: `before` or `after` is None where it is not there. `steps` are those where it is so."""

    what: str
    before: str | None
    after: str | None
    steps: tuple[str, ...]

    def __str__(self) -> str:
        where = f" ({', '.join(self.steps)})" if self.steps else ""
        if self.before is None:
            return f"{self.what} {_shown(self.after)} is new{where}"
        if self.after is None:
            return f"{self.what} {_shown(self.before)} goes{where}"
        return f"{self.what} {_shown(self.before)} -> {_shown(self.after)}{where}"


def template_facts(template: Mapping[str, Any]) -> Facts:
    """What a WorkflowTemplate does."""
    spec = template.get("spec") or {}
    facts = {(path, ""): value for path, value in _flat({k: v for k, v in spec.items() if k not in _REPEATED})}
    for each in spec.get("templates") or ():
        step = str(each.get("name", "")).removeprefix("attempt-")
        facts |= {(_words(path), step): value for path, value in _flat(_without_specification(each))}
        facts |= dict(_specification(each, step))
    return facts


def spec_facts(thing: Mapping[str, Any], but: tuple[str, ...]) -> Facts:
    """Every field of an object's spec but some."""
    spec = {name: value for name, value in (thing.get("spec") or {}).items() if name not in but}
    return {(path, ""): value for path, value in _flat(spec)}


def differences(before: Facts, after: Facts) -> list[Difference]:
    """Each value that is another, once for all steps in which it changes alike."""
    steps: dict[tuple[str, str | None, str | None], list[str]] = {}
    for what, step in dict.fromkeys([*after, *before]):
        old, new = before.get((what, step)), after.get((what, step))
        if old != new and not _is_same_amount(what, old, new):
            steps.setdefault((what, old, new), []).extend([step] if step else [])
    return [Difference(*change, tuple(where)) for change, where in steps.items()]


def _specification(template: Mapping[str, Any], step: str) -> Iterator[tuple[tuple[str, str], str]]:
    """What a step is told, by its own names; parameters and variables belong to the training, whichever step has them."""
    for variable in (template.get("container") or {}).get("env") or ():
        if variable.get("name") != contract.STEP_VARIABLE:
            continue
        try:
            told = json.loads(variable.get("value") or "{}")
        except ValueError:
            told = {"specification": variable.get("value")}
        for name, value in told.items():
            if name in _OF_THE_TRAINING and isinstance(value, dict):
                yield from (((_WORDS[name] + key, ""), str(each)) for key, each in value.items())
            else:
                yield (name.replace("_", " "), step), value if isinstance(value, str) else json.dumps(value)


def _without_specification(template: Mapping[str, Any]) -> Mapping[str, Any]:
    container = template.get("container")
    if not isinstance(container, dict):
        return template
    kept = [each for each in container.get("env") or () if each.get("name") != contract.STEP_VARIABLE]
    return {**template, "container": {**container, "env": kept}}


def _words(path: str) -> str:
    return _WORDS.get(path, path)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each plain value by its path; items of a list by their name, where all have one. What is empty is not there."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        named = all(isinstance(each, Mapping) and isinstance(each.get("name"), str) for each in value)
        for index, each in enumerate(value):
            yield from _flat(each, f"{path}[{each['name'] if named else index}]")
    elif value not in (None, ""):
        yield path, value if isinstance(value, str) else json.dumps(value)


def _is_same_amount(what: str, one: str | None, other: str | None) -> bool:
    try:
        return what in _AMOUNTS and quantity.amount(one or "") == quantity.amount(other or "")
    except ValueError:
        return False


def _shown(value: str | None) -> str:
    text = value or ""
    shown = text if text and text.isprintable() and " " not in text else json.dumps(text, ensure_ascii=False)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
