"""What a Workflow was meant to do: the tasks of its DAG in order, and what a step asks for. Read leniently.

A workflow that refers to a WorkflowTemplate has them in its status, where Argo has stored them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odahu_argo.status.lenient import look, mapping, sequence, text, truth, whole

_PLAIN_DEPENDS = re.compile(r"[\w-]+(\s*&&\s*[\w-]+)*")
_USUAL_RESOURCES = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class Intent:
    """`ends_with_failure`: no task may go on after another's failure, so that one final failure is the whole's.

    `deadline` is the limit on the whole workflow in seconds.
    """

    tasks: tuple[str, ...]
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
    steps = [mapping(step) for group in sequence(entry.get("steps")) for step in sequence(group)]
    deadline = whole(spec.get("activeDeadlineSeconds"))
    return Intent(
        tasks=tuple(dict.fromkeys(name for each in (tasks or steps) if (name := text(each.get("name"))))),
        templates=templates,
        ends_with_failure=bool(tasks)
        and truth(look(entry, "dag", "failFast")) is not False
        and all(map(_stops, tasks)),
        deadline=whole(stored.get("activeDeadlineSeconds")) if deadline is None else deadline,
    )


def _stops(task: Mapping[str, Any]) -> bool:
    """Whether the task runs only when all it depends on have succeeded."""
    depends = text(task.get("depends"))
    return not task.get("continueOn") and (not depends or _PLAIN_DEPENDS.fullmatch(depends) is not None)
