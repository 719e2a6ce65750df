"""Semantic diff of trainings: manifests compared with a rendered directory or with the cluster, in readable words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import contract, naming, quantity
from odahu_argo.compile import workflow_template
from odahu_argo.compile.workflow import digest
from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.gitops.render import RUNS, TEMPLATES, has_header
from odahu_argo.kube.cluster import CRON_WORKFLOW, WORKFLOW, WORKFLOW_TEMPLATE, Cluster, Object
from odahu_argo.plan.model import Plan
from odahu_argo.status.state import read_status

Fields = Mapping[tuple[str, str], str]
"""Values by field name and step. The step is empty for a field of the whole training."""

MAX_VALUE_LENGTH = 60
_SEPARATE_FIELDS = ("workflowMetadata", "podMetadata", "templates")
_CRON_FIELDS = ("workflowSpec", "workflowMetadata")
_TRAINING_FIELDS = ("hyper_parameters", "environment")
_LABELS = {
    "container.image": "image",
    f"initContainers[{contract.PREPARE}].image": "image of prepare",
    "container.resources.limits.cpu": "cpu limit",
    "container.resources.limits.memory": "memory limit",
    "container.resources.requests.cpu": "cpu request",
    "container.resources.requests.memory": "memory request",
    "activeDeadlineSeconds": "time-out in seconds",
    "hyper_parameters": "",
    "environment": "variable ",
}
_QUANTITY_LABELS = ("cpu limit", "memory limit", "cpu request", "memory request")


@dataclass(frozen=True, slots=True)
class TrainingObjects:
    """Objects of one training. `runs` are the Workflows that refer to its template, by name."""

    template: Object | None = None
    cron: Object | None = None
    runs: Mapping[str, Object] | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """Trainings in a directory or on a cluster; `name` describes it, such as `in deploy`."""

    name: str
    trainings: Mapping[str, TrainingObjects]
    is_cluster: bool = False


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


def planned_trainings(plans: Iterable[Plan]) -> dict[str, TrainingObjects]:
    """Return the objects that the plans require, by training."""
    return {
        plan.training_id: TrainingObjects(
            workflow_template.workflow_template(plan),
            workflow_template.cron_workflow(plan),
            {naming.run_name(plan.training_id, digest(plan)): workflow_template.template_run(plan)},
        )
        for plan in plans
    }


def read_directory(directory: Path) -> Deployment:
    """Read the objects of a rendered directory.

    Raises:
        UserError: a file cannot be read.
    """
    objects = []
    for path in sorted(path for name in (TEMPLATES, RUNS) for path in (directory / name).glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
            if has_header(text):
                objects += [item for item in yaml.safe_load_all(text) if isinstance(item, dict)]
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            location = Location(str(path), None if line is None else line + 1)
            hint = "render the file again with odahu-argo render --overwrite"
            raise UserError(Problem("invalid YAML", location, hint)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(Problem("cannot read the file", Location(str(path)))) from error
    return Deployment(f"in {directory}", _group_by_training(objects))


def read_cluster(cluster: Cluster) -> Deployment:
    """Read the objects of the cluster's namespace.

    Raises:
        Forbidden, Unreachable: the objects cannot be listed.
    """
    labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: ""}
    kinds = (WORKFLOW_TEMPLATE, CRON_WORKFLOW, WORKFLOW)
    objects = [item for kind in kinds for item in cluster.list(kind, labels).items]
    return Deployment("on the cluster", _group_by_training(objects), is_cluster=True)


def _group_by_training(objects: Iterable[Object]) -> dict[str, TrainingObjects]:
    groups: dict[str, dict[str, Any]] = {}
    for item in objects:
        metadata = item.get("metadata") or {}
        training = (metadata.get("labels") or {}).get(naming.TRAINING_ID_LABEL)
        if not training:
            continue
        group = groups.setdefault(training, {"runs": {}})
        if item.get("kind") == "WorkflowTemplate":
            group["template"] = item
        elif item.get("kind") == "CronWorkflow":
            group["cron"] = item
        elif "workflowTemplateRef" in (item.get("spec") or {}):
            group["runs"][str(metadata.get("name"))] = item
    return {training: TrainingObjects(**group) for training, group in groups.items() if len(group) > 1 or group["runs"]}


def compare_trainings(planned: Mapping[str, TrainingObjects], deployment: Deployment) -> Iterator[str]:
    """Yield a line for each training of the deployment that differs from the plan."""
    for training in sorted({*planned, *deployment.trainings}):
        deployed = deployment.trainings.get(training)
        changes = list(_changes(planned.get(training), deployed, deployment.is_cluster))
        if changes:
            yield f"training {training} {deployment.name}: {'; '.join(changes)}"


def _changes(planned: TrainingObjects | None, deployed: TrainingObjects | None, is_cluster: bool) -> Iterator[str]:
    if planned is None:
        yield "no longer in the manifests"
    elif deployed is None:
        yield "does not exist yet"
    else:
        yield from _template_changes(planned, deployed)
        yield from _schedule_changes(planned, deployed)
        yield from _run_changes(planned.runs or {}, deployed.runs or {}, is_cluster)


def _template_changes(planned: TrainingObjects, deployed: TrainingObjects) -> Iterator[str]:
    if deployed.template is None:
        yield "its WorkflowTemplate does not exist"
    else:
        fields = template_fields(deployed.template), template_fields(planned.template or {})
        yield from map(str, compare_fields(*fields))


def _schedule_changes(planned: TrainingObjects, deployed: TrainingObjects) -> Iterator[str]:
    if planned.cron is None or deployed.cron is None:
        if planned.cron is not deployed.cron:
            cron = planned.cron or deployed.cron or {}
            yield f"the schedule {', '.join(cron['spec']['schedules'])} {'added' if planned.cron else 'removed'}"
        return
    fields = (_spec_fields(cron, excluded=_CRON_FIELDS) for cron in (deployed.cron, planned.cron))
    yield from map(str, compare_fields(*fields))


def _run_changes(planned: Mapping[str, Object], deployed: Mapping[str, Object], is_cluster: bool) -> Iterator[str]:
    for name in planned:
        if name not in deployed:
            yield f"new run {name}" if deployed else f"its run {name} does not exist yet"
        elif is_cluster:
            yield from _check_template_of_run(name, deployed[name])


def _check_template_of_run(name: str, run: Object) -> Iterator[str]:
    """Compare the digest of the template that a run used, an annotation, with the intended digest in the run's name."""
    used_digest = str((run["metadata"].get("annotations") or {}).get(naming.DIGEST_ANNOTATION, ""))
    if used_digest and not name.endswith(f"-{used_digest[:8]}"):
        state = read_status(run).state
        yield f"its run {name} ({state}) used the previous template; delete the run to start it again"


def template_fields(template: Mapping[str, Any]) -> Fields:
    """Return the fields of a WorkflowTemplate."""
    spec = template.get("spec") or {}
    fields = dict(_spec_fields(template, excluded=_SEPARATE_FIELDS))
    for item in spec.get("templates") or ():
        step = str(item.get("name", "")).removeprefix("attempt-")
        fields |= {(_LABELS.get(path, path), step): value for path, value in _flatten(_without_step_spec(item))}
        fields |= dict(_step_spec_fields(item, step))
    return fields


def _spec_fields(item: Mapping[str, Any], excluded: tuple[str, ...]) -> Fields:
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
