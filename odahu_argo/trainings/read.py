"""Trainings as they stand: what Argo's Workflows say now, and what is remembered of those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from odahu_argo import naming
from odahu_argo.errors import OdahuArgoError
from odahu_argo.status.model import Status
from odahu_argo.submit.cluster import CONFIG_MAP, WORKFLOW, Cluster, NotFound, Object
from odahu_argo.trainings import observe, record
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.observe import Run
from odahu_argo.trainings.pod_events import pod_warnings, slow_pods

_WRITERS = 8
"""Records that are written at once."""
_AT_ONCE = 100
"""Trainings that are put together before they are told."""


def now() -> str:
    """The time in UTC as Kubernetes writes it (RFC 3339, whole seconds)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_trainings(cluster: Cluster) -> Iterator[Training]:
    """Every training of the namespace, by id; what is new is remembered on the way where that is allowed.

    Raises:
        Denied, Unreachable: workflows cannot be listed.
    """
    runs = observe.by_training(cluster.gather(WORKFLOW, run_reader(cluster), observe.SELECTOR).items)
    texts = record.texts(cluster)
    yield from as_they_stand(cluster, sorted({*runs, *texts}), runs, texts)


def training_ids(cluster: Cluster) -> list[str]:
    """The id of every training of the namespace; nothing is remembered on the way.

    Raises:
        Denied, Unreachable: workflows cannot be listed.
    """
    kinds = ((CONFIG_MAP, record.SELECTOR), (WORKFLOW, observe.SELECTOR))
    names = (name for kind, labels in kinds for name in cluster.gather(kind, observe.training_id, labels).items)
    return sorted({name for name in names if name})


def find_training(cluster: Cluster, training_id: str) -> Training:
    """One training.

    Raises:
        NotFound: there is none of that id, neither on the cluster nor remembered.
        Denied, Unreachable: workflows cannot be listed.
    """
    runs = observe.by_training(runs_of(cluster, training_id))
    texts = {training_id: record.text(cluster, training_id)}
    for training in as_they_stand(cluster, [training_id], runs, texts):
        return training
    raise NotFound(
        f"there is no training {training_id!r} in namespace {cluster.namespace!r}",
        hint="odahu-argo train get lists those there are; -n names another namespace",
    )


def runs_of(cluster: Cluster, training_id: str) -> list[Run]:
    """The runs of one training, also those that are removed with it."""
    return list(cluster.gather(WORKFLOW, run_reader(cluster), {naming.TRAINING_ID_LABEL: training_id}).items)


def run_reader(cluster: Cluster) -> Callable[[Object], Run]:
    """Reads a workflow as it stands; of a pod that is slow to start also what Kubernetes has warned of it."""
    return partial(_read_run, cluster)


def _read_run(cluster: Cluster, workflow: Object) -> Run:
    time = now()
    run = observe.read_run(workflow, time)
    slow = slow_pods([run.attempt], time)
    return observe.read_run(workflow, time, pod_warnings(cluster, slow)) if slow else run


def as_they_stand(
    cluster: Cluster, names: Iterable[str], runs: Mapping[str, Collection[Run]], texts: Mapping[str, str]
) -> Iterator[Training]:
    """Those of the named trainings that there are, from their runs and the texts of their records, which are brought up to
    date."""
    left = iter(names)
    while some := list(islice(left, _AT_ONCE)):
        told: list[Training] = []
        news: list[tuple[Training, bool]] = []
        for name in some:
            known = record.parse(texts.get(name, ""))
            if training := _together(name, runs.get(name, ()), known):
                told.append(training)
                if known is None or not record.is_same(known, training):
                    news.append((training, known is None))
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(lambda each: _remember(cluster, *each), news))
        yield from told


def _together(training_id: str, runs: Collection[Run], known: Training | None) -> Training | None:
    remembered = known.attempts if known else ()
    seen = {each.number: each for each in observe.attempts(runs, remembered)}
    for each in remembered:
        if each.number not in seen:
            seen[each.number] = gone(each)
    return Training(training_id, tuple(seen[number] for number in sorted(seen))) if seen else None


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


def _remember(cluster: Cluster, training: Training, is_new: bool) -> None:
    """Reading works also where nothing may be written; then the recorder remembers."""
    with suppress(OdahuArgoError):
        record.remember(cluster, training, is_new)
