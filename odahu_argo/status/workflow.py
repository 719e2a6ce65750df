"""What a Workflow was meant to do: the tasks of its DAG in order, and what a step asks for. Read leniently.

A workflow that refers to a WorkflowTemplate has them in its status, where Argo has stored them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odahu_argo.status.unstructured import look, mapping, sequence, text, truth, whole

_PLAIN_DEPENDS = re.compile(r"[\w-]+(\s*&&\s*[\w-]+)*")
_USUAL_RESOURCES = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class Intent:
    """`ends_with_failure`: no task may go on after another's failure, so that one final failure is the whole's.

    `after` tells for each task which ones it waits for; `deadline` is the limit on the whole workflow in seconds.
    """

    tasks: tuple[str, ...]
    after: Mapping[str, tuple[str, ...]]
    templates: Mapping[str, Mapping[str, Any]]
    ends_with_failure: bool
    deadline: int | None

    def needs(self, template: str) -> str:
        """What a step asks of a node, in words: `8 nvidia.com/gpu`. Devices alone where it asks for any."""
        resources = look(self.templates.get(template), "container", "resources")
        asked = {**mapping(look(resources, "requests")), **mapping(look(resources, "limits"))}
        amounts = {name: f"{written} {name}" for name in map(text, asked) if (written := _written(asked.get(name)))}
        devices = [words for name, words in amounts.items() if "/" in name]
        return " and ".join(devices or [amounts[name] for name in _USUAL_RESOURCES if name in amounts])

    def selector(self, template: str) -> str:
        """The labels that a step's node must have, as kubectl takes them."""
        selector = mapping(mapping(self.templates.get(template)).get("nodeSelector"))
        return ",".join(f"{name}={value}" for name, value in selector.items() if isinstance(value, str))

    def setting(self, template: str, name: str) -> str:
        """A field of a step's template, such as `pendingTimeout`, as text; empty where it is not set."""
        return _written(mapping(self.templates.get(template)).get(name))


def _written(value: object) -> str:
    """A quantity or duration, which YAML may have made a number."""
    number = whole(value)
    return text(value) if number is None else str(number)


def read_intent(workflow: object) -> Intent:
    """From the workflow's own spec, else from what Argo has stored of the template it refers to. Never raises."""
    spec, stored = mapping(look(workflow, "spec")), mapping(look(workflow, "status", "storedWorkflowTemplateSpec"))
    written = [
        *mapping(look(workflow, "status", "storedTemplates")).values(),
        *sequence(stored.get("templates")),
        *sequence(spec.get("templates")),
    ]
    templates = {text(each.get("name")): each for each in written if isinstance(each, Mapping)}
    entry = mapping(templates.get(text(spec.get("entrypoint")) or text(stored.get("entrypoint"))))
    tasks = [mapping(task) for task in sequence(look(entry, "dag", "tasks"))]
    groups = [[mapping(step) for step in sequence(group)] for group in sequence(entry.get("steps"))]
    after = _needs_of_tasks(tasks) if tasks else _needs_of_groups(groups)
    deadline = whole(spec.get("activeDeadlineSeconds"))
    return Intent(
        tasks=tuple(after),
        after=after,
        templates=templates,
        ends_with_failure=bool(tasks)
        and truth(look(entry, "dag", "failFast")) is not False
        and all(map(_stops, tasks)),
        deadline=whole(stored.get("activeDeadlineSeconds")) if deadline is None else deadline,
    )


def _needs_of_tasks(tasks: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """A DAG's tasks in their order, each with those that its `dependencies` or `depends` name."""
    names = {name for each in tasks if (name := text(each.get("name")))}
    return {name: _needs(each, names - {name}) for each in tasks if (name := text(each.get("name")))}


def _needs(task: Mapping[str, Any], names: set[str]) -> tuple[str, ...]:
    named = [*map(text, sequence(task.get("dependencies"))), *re.findall(r"[\w-]+", text(task.get("depends")))]
    return tuple(dict.fromkeys(name for name in named if name in names))


def _needs_of_groups(groups: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, tuple[str, ...]]:
    """The steps of a `steps` template: those of a group wait for those of the group before."""
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for group in groups:
        names = tuple(dict.fromkeys(name for each in group if (name := text(each.get("name")))))
        found.update({name: before for name in names if name not in found})
        before = names or before
    return found


def _stops(task: Mapping[str, Any]) -> bool:
    """Whether the task runs only when all it depends on have succeeded."""
    depends = text(task.get("depends"))
    return not task.get("continueOn") and (not depends or _PLAIN_DEPENDS.fullmatch(depends) is not None)
