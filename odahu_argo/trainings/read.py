"""Trainings as they stand: what Argo's Workflows say now, and what is remembered of those that are gone."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from odahu_argo import naming
from odahu_argo.errors import OdahuArgoError
from odahu_argo.status.model import Status
from odahu_argo.submit.cluster import CONFIG_MAP, WORKFLOW, Cluster, NotFound, Object
from odahu_argo.trainings import observe, record
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.pod_events import pod_warnings, slow_pods

_WRITERS = 8
"""Records that are written at once."""


def now() -> str:
    """The time in UTC as Kubernetes writes it (RFC 3339, whole seconds)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_trainings(cluster: Cluster) -> list[Training]:
    """Every training of the namespace, by id; what is new is remembered on the way where that is allowed.

    Raises:
        Denied, Unreachable: workflows cannot be listed.
    """
    workflows = observe.by_training(cluster.list(WORKFLOW, observe.SELECTOR).items)
    known = {each.id: each for each in map(record.read, cluster.list(CONFIG_MAP, record.SELECTOR).items) if each}
    names = sorted({*workflows, *known})
    trainings = [_as_it_stands(cluster, name, workflows.get(name, []), known.get(name)) for name in names]
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(lambda training: _remember(cluster, training, known.get(training.id)), trainings))
    return trainings


def training_ids(cluster: Cluster) -> list[str]:
    """The id of every training of the namespace; nothing is remembered on the way.

    Raises:
        Denied, Unreachable: workflows cannot be listed.
    """
    records = (cluster.list(CONFIG_MAP, record.SELECTOR).items, cluster.list(WORKFLOW, observe.SELECTOR).items)
    return sorted({name for items in records for each in items if (name := observe.training_id(each))})


def find_training(cluster: Cluster, training_id: str) -> Training:
    """One training.

    Raises:
        NotFound: there is none of that id, neither on the cluster nor remembered.
        Denied, Unreachable: workflows cannot be listed.
    """
    found = cluster.list(WORKFLOW, {naming.TRAINING_ID_LABEL: training_id}).items
    workflows = observe.by_training(found).get(training_id, [])
    known = record.find(cluster, training_id)
    if not workflows and known is None:
        raise NotFound(
            f"there is no training {training_id!r} in namespace {cluster.namespace!r}",
            hint="odahu-argo train get lists those there are; -n names another namespace",
        )
    return together(cluster, training_id, workflows, known)


def together(cluster: Cluster, training_id: str, workflows: Iterable[Object], known: Training | None) -> Training:
    """A training from its workflows and its record, which is brought up to date."""
    training = _as_it_stands(cluster, training_id, workflows, known)
    _remember(cluster, training, known)
    return training


def _as_it_stands(cluster: Cluster, training_id: str, workflows: Iterable[Object], known: Training | None) -> Training:
    time = now()
    remembered = known.attempts if known else ()
    listed = list(workflows)
    found = observe.attempts(listed, remembered, time)
    if slow := slow_pods(found, time):
        found = observe.attempts(listed, remembered, time, pod_warnings(cluster, slow))
    seen = {each.number: each for each in found}
    for each in remembered:
        if each.number not in seen:
            seen[each.number] = gone(each)
    return Training(training_id, tuple(seen[number] for number in sorted(seen)))


def gone(attempt: Attempt) -> Attempt:
    """A remembered attempt whose workflow is no longer there. What had not ended then is unknown now: it is not guessed."""
    if attempt.status.has_ended or attempt.is_gone:
        return replace(attempt, is_gone=True)
    last = attempt.status
    lost = Status(
        state="unknown",
        reason="Gone",
        message=f"workflow {attempt.workflow} is gone from the cluster; it was {last.state} when last seen, {attempt.seen}",
        hint="odahu-argo train edit -f FILE runs it anew",
        step=last.step,
        started=last.started,
        artifacts=last.artifacts,
        steps=last.steps,
        phase=last.phase,
    )
    return replace(attempt, status=lost, is_gone=True)


def _remember(cluster: Cluster, training: Training, known: Training | None) -> None:
    """Reading works also where nothing may be written; then the recorder remembers."""
    if known is None or not record.is_same(known, training):
        with suppress(OdahuArgoError):
            record.remember(cluster, training, is_new=known is None)
