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
from odahu_argo.errors import Forbidden, NotFound, OdahuArgoError, Rejected, Unreachable
from odahu_argo.kube.cluster import CONFIG_MAP, EVENT, WORKFLOW, Cluster, Object
from odahu_argo.status.model import Status
from odahu_argo.status.pending_rules import NORMAL_START
from odahu_argo.trainings import history
from odahu_argo.trainings import runs as observe
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.runs import Run

USUAL_START = 10.0
"""Seconds in which a pod starts where nothing is wrong."""


def slow_pods(attempts: Iterable[Attempt], now: str) -> list[str]:
    """The names of pods that say no more than that they are starting, for longer than is usual."""
    runs = (run for attempt in attempts for step in attempt.status.steps for run in step.runs)
    starting = (run for run in runs if run.state == "scheduling" and NORMAL_START.fullmatch(run.message))
    return [run.pod for run in starting if _seconds(run.started, now) > USUAL_START]


def pod_warnings(cluster: Cluster, pods: Iterable[str]) -> dict[str, str]:
    """What Kubernetes has last warned of each pod, as `FailedMount: MountVolume.SetUp failed …`; nothing of those it has not
    warned of, or whose events may not be read.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    warnings: dict[str, str] = {}
    for pod in pods:
        with suppress(Forbidden, Rejected, Unreachable):
            events = cluster.list(EVENT, fields={"involvedObject.name": pod, "type": "Warning"}).items
            if events:
                last = max(events, key=_time)
                warnings[pod] = f"{last.get('reason', '')}: {last.get('message', '')}"
    return warnings


def _time(event: Object) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _seconds(since: str, now: str) -> float:
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


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
        Forbidden, Unreachable: workflows cannot be listed.
    """
    runs = observe.by_training(cluster.gather(WORKFLOW, run_reader(cluster), observe.SELECTOR).items)
    texts = history.texts(cluster)
    yield from as_they_stand(cluster, sorted({*runs, *texts}), runs, texts)


def training_ids(cluster: Cluster) -> list[str]:
    """The id of every training of the namespace; nothing is remembered on the way.

    Raises:
        Forbidden, Unreachable: workflows cannot be listed.
    """
    kinds = ((CONFIG_MAP, history.SELECTOR), (WORKFLOW, observe.SELECTOR))
    names = (name for kind, labels in kinds for name in cluster.gather(kind, observe.training_id, labels).items)
    return sorted({name for name in names if name})


def find_training(cluster: Cluster, training_id: str) -> Training:
    """One training.

    Raises:
        NotFound: there is none of that id, neither on the cluster nor remembered.
        Forbidden, Unreachable: workflows cannot be listed.
    """
    runs = observe.by_training(runs_of(cluster, training_id))
    texts = {training_id: history.text(cluster, training_id)}
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
            known = history.parse(texts.get(name, ""))
            if training := _together(name, runs.get(name, ()), known):
                told.append(training)
                if known is None or not history.is_same(known, training):
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
        history.remember(cluster, training, is_new)
