"""Semantic diff of trainings: manifests compared with a rendered directory or with the cluster, in readable words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import naming
from odahu_argo.compile import workflow_template
from odahu_argo.compile.differences import compare_fields, spec_fields, template_fields
from odahu_argo.compile.workflow import digest
from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.gitops.render import RUNS, TEMPLATES, has_header
from odahu_argo.kube.cluster import CRON_WORKFLOW, WORKFLOW, WORKFLOW_TEMPLATE, Cluster, Object
from odahu_argo.plan.model import Plan
from odahu_argo.status.state import read_status

_CRON_FIELDS = ("workflowSpec", "workflowMetadata")


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
    fields = (spec_fields(cron, excluded=_CRON_FIELDS) for cron in (deployed.cron, planned.cron))
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
