"""Specification of a Workflow, parsed leniently: DAG tasks in order, and each step's requirements.

If the Workflow refers to a WorkflowTemplate, Argo stores the template's specification in the Workflow's status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odahu_argo.status.unstructured import boolean, get_path, integer, mapping, sequence, text

_CONJUNCTION = re.compile(r"[\w-]+(\s*&&\s*[\w-]+)*")
_BASIC_RESOURCES = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """Relevant parts of a Workflow's specification.

    `needs` maps each task to the tasks it depends on. `stops_on_failure` is true if no task can run after another task
    failed, so that one failed step fails the workflow. `requires_all` is true if a failed step fails the workflow in the end.
    `deadline` is the workflow's time limit in seconds.
    """

    tasks: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    templates: Mapping[str, Mapping[str, Any]]
    stops_on_failure: bool
    deadline: int | None
    requires_all: bool = False

    def resources(self, template: str) -> str:
        """Return the resources a template requests, such as `8 nvidia.com/gpu`; only devices if it requests any.

        A limit without a request is requested.
        """
        resources = get_path(self.templates.get(template), "container", "resources")
        required = {**mapping(get_path(resources, "limits")), **mapping(get_path(resources, "requests"))}
        amounts = {name: f"{amount} {name}" for name in map(text, required) if (amount := _scalar(required.get(name)))}
        devices = [amount for name, amount in amounts.items() if "/" in name]
        return " and ".join(devices or [amounts[name] for name in _BASIC_RESOURCES if name in amounts])

    def node_selector(self, template: str) -> str:
        """Return a template's node selector in kubectl's syntax (`key=value,…`)."""
        selector = mapping(mapping(self.templates.get(template)).get("nodeSelector"))
        return ",".join(f"{name}={value}" for name, value in selector.items() if isinstance(value, str))

    def label(self, template: str, name: str) -> str:
        """Return a label of a template's pod; empty if it is not set."""
        return text(get_path(self.templates.get(template), "metadata", "labels", name))

    def annotation(self, template: str, name: str) -> str:
        """Return an annotation of a template's pod; empty if it is not set."""
        return text(get_path(self.templates.get(template), "metadata", "annotations", name))

    def setting(self, template: str, field: str) -> str:
        """Return a field of a template, such as `pendingTimeout`, as text; empty if it is not set."""
        return _scalar(mapping(self.templates.get(template)).get(field))


def _scalar(value: object) -> str:
    """Return a quantity or duration as text; YAML may have parsed it as a number."""
    number = integer(value)
    return text(value) if number is None else str(number)


def read_spec(workflow: object) -> WorkflowSpec:
    """Return the Workflow's own specification merged with the one Argo stored in its status. Never raises."""
    spec = mapping(get_path(workflow, "spec"))
    stored = mapping(get_path(workflow, "status", "storedWorkflowTemplateSpec"))
    raw_templates = [
        *mapping(get_path(workflow, "status", "storedTemplates")).values(),
        *sequence(stored.get("templates")),
        *sequence(spec.get("templates")),
    ]
    templates = {text(raw.get("name")): raw for raw in raw_templates if isinstance(raw, Mapping)}
    entrypoint = mapping(templates.get(text(spec.get("entrypoint")) or text(stored.get("entrypoint"))))
    tasks = [mapping(task) for task in sequence(get_path(entrypoint, "dag", "tasks"))]
    groups = [[mapping(step) for step in sequence(group)] for group in sequence(entrypoint.get("steps"))]
    needs = _dag_dependencies(tasks) if tasks else _group_dependencies(groups)
    deadline = integer(spec.get("activeDeadlineSeconds"))
    requires_all = bool(tasks) and all(map(_requires_success, tasks))
    return WorkflowSpec(
        tasks=tuple(needs),
        needs=needs,
        templates=templates,
        stops_on_failure=requires_all and boolean(get_path(entrypoint, "dag", "failFast")) is not False,
        requires_all=requires_all,
        deadline=integer(stored.get("activeDeadlineSeconds")) if deadline is None else deadline,
    )


def _dag_dependencies(tasks: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Map the tasks of a DAG, in order, to the tasks in their `dependencies` and `depends`."""
    names = {name for task in tasks if (name := text(task.get("name")))}
    return {name: _task_dependencies(task, names - {name}) for task in tasks if (name := text(task.get("name")))}


def _task_dependencies(task: Mapping[str, Any], other_tasks: set[str]) -> tuple[str, ...]:
    names = [*map(text, sequence(task.get("dependencies"))), *re.findall(r"[\w-]+", text(task.get("depends")))]
    return tuple(dict.fromkeys(name for name in names if name in other_tasks))


def _group_dependencies(groups: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, tuple[str, ...]]:
    """Map the steps of a `steps` template to the steps of the previous group."""
    dependencies: dict[str, tuple[str, ...]] = {}
    previous: tuple[str, ...] = ()
    for group in groups:
        names = tuple(dict.fromkeys(name for step in group if (name := text(step.get("name")))))
        dependencies.update({name: previous for name in names if name not in dependencies})
        previous = names or previous
    return dependencies


def _requires_success(task: Mapping[str, Any]) -> bool:
    """Whether the task runs only if all its dependencies have succeeded."""
    depends = text(task.get("depends"))
    return not task.get("continueOn") and (not depends or _CONJUNCTION.fullmatch(depends) is not None)
