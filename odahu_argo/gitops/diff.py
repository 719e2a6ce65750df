"""Manifests, what git holds of them, and the cluster, compared training by training; differences in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import naming
from odahu_argo.compile import referenced
from odahu_argo.compile.spec import digest
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.gitops.files import RUNS, TEMPLATES, is_ours
from odahu_argo.gitops.meaning import differences, spec_facts, template_facts
from odahu_argo.plan.model import Plan
from odahu_argo.status.state import read_status
from odahu_argo.submit.cluster import CRON_WORKFLOW, WORKFLOW, WORKFLOW_TEMPLATE, Cluster, Object

_BY_CRON = ("workflowSpec", "workflowMetadata")


@dataclass(frozen=True, slots=True)
class Held:
    """What a place holds of one training. `runs` are the Workflows that refer to its template, by their names."""

    template: Object | None = None
    cron: Object | None = None
    runs: Mapping[str, Object] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where trainings are held: `name` in words, such as `in deploy`, and what is there of each."""

    name: str
    trainings: Mapping[str, Held]
    is_live: bool = False


def from_plans(plans: Iterable[Plan]) -> dict[str, Held]:
    """What there should be."""
    return {
        plan.training_id: Held(
            referenced.workflow_template(plan),
            referenced.cron_workflow(plan),
            {naming.run_name(plan.training_id, digest(plan)): referenced.run(plan)},
        )
        for plan in plans
    }


def from_folder(folder: Path) -> Place:
    """What a rendered folder holds.

    Raises:
        UserError: one of its files cannot be read.
    """
    objects = []
    for path in sorted(path for name in (TEMPLATES, RUNS) for path in (folder / name).glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
            objects += [each for each in yaml.safe_load_all(text) if isinstance(each, dict)] if is_ours(text) else []
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = Where(str(path), None if line is None else line + 1)
            raise UserError(
                Problem("is not valid YAML", where, "odahu-argo render --overwrite writes it anew")
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(Problem("cannot be read", Where(str(path)))) from error
    return Place(f"in {folder}", _held(objects))


def from_cluster(cluster: Cluster) -> Place:
    """What the cluster's namespace holds.

    Raises:
        Denied, Unreachable: the objects cannot be listed.
    """
    labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TRAINING_ID_LABEL: ""}
    kinds = (WORKFLOW_TEMPLATE, CRON_WORKFLOW, WORKFLOW)
    objects = [each for kind in kinds for each in cluster.list(kind, labels).items]
    return Place("on the cluster", _held(objects), is_live=True)


def _held(objects: Iterable[Object]) -> dict[str, Held]:
    found: dict[str, dict[str, Any]] = {}
    for each in objects:
        metadata = each.get("metadata") or {}
        training = (metadata.get("labels") or {}).get(naming.TRAINING_ID_LABEL)
        if not training:
            continue
        held = found.setdefault(training, {"runs": {}})
        if each.get("kind") == "WorkflowTemplate":
            held["template"] = each
        elif each.get("kind") == "CronWorkflow":
            held["cron"] = each
        elif "workflowTemplateRef" in (each.get("spec") or {}):
            held["runs"][str(metadata.get("name"))] = each
    return {training: Held(**held) for training, held in found.items() if len(held) > 1 or held["runs"]}


def compare(wanted: Mapping[str, Held], place: Place) -> Iterator[str]:
    """A line for each training that is not in the place as it is wanted."""
    for training in sorted({*wanted, *place.trainings}):
        there = place.trainings.get(training)
        words = list(_told(wanted.get(training), there, place.is_live))
        if words:
            yield f"training {training} {place.name}: {'; '.join(words)}"


def _told(wanted: Held | None, there: Held | None, is_live: bool) -> Iterator[str]:
    if wanted is None:
        yield "no longer among the manifests"
    elif there is None:
        yield "not there yet"
    else:
        yield from _template(wanted, there)
        yield from _schedule(wanted, there)
        yield from _run(wanted.runs or {}, there.runs or {}, is_live)


def _template(wanted: Held, there: Held) -> Iterator[str]:
    if there.template is None:
        yield "its WorkflowTemplate is not there"
    else:
        yield from map(str, differences(template_facts(there.template), template_facts(wanted.template or {})))


def _schedule(wanted: Held, there: Held) -> Iterator[str]:
    if wanted.cron is None or there.cron is None:
        if wanted.cron is not there.cron:
            cron = wanted.cron or there.cron or {}
            yield f"the schedule {', '.join(cron['spec']['schedules'])} {'is new' if wanted.cron else 'goes'}"
        return
    before, after = (spec_facts(each, but=_BY_CRON) for each in (there.cron, wanted.cron))
    yield from map(str, differences(before, after))


def _run(wanted: Mapping[str, Object], there: Mapping[str, Object], is_live: bool) -> Iterator[str]:
    for name in wanted:
        if name not in there:
            yield f"runs anew as {name}" if there else f"its run {name} is not there yet"
        elif is_live:
            yield from _ran_another(name, there[name])


def _ran_another(name: str, run: Object) -> Iterator[str]:
    """The digest in a run's annotations is that of the template it ran, the one in its name of that it was meant for."""
    ran = str((run["metadata"].get("annotations") or {}).get(naming.DIGEST_ANNOTATION, ""))
    if ran and not name.endswith(f"-{ran[:8]}"):
        state = read_status(run).state
        yield f"its run {name} ({state}) took the template before this one; delete it to run anew"
