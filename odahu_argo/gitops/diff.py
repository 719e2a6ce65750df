"""Manifests, what git holds of them, and the cluster, compared training by training; differences in words."""

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
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.gitops.render import RUNS, TEMPLATES, is_ours
from odahu_argo.kube.cluster import CRON_WORKFLOW, WORKFLOW, WORKFLOW_TEMPLATE, Cluster, Object
from odahu_argo.plan.model import Plan
from odahu_argo.status.state import read_status

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
            workflow_template.workflow_template(plan),
            workflow_template.cron_workflow(plan),
            {naming.run_name(plan.training_id, digest(plan)): workflow_template.template_run(plan)},
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
        Forbidden, Unreachable: the objects cannot be listed.
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
