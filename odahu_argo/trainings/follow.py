"""A training as it goes: each change of its state, and each line that its steps print; and its log in one piece."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic

from odahu_argo.errors import NotFound, OdahuArgoError, Rejected, Unreachable
from odahu_argo.kube.cluster import Cluster
from odahu_argo.status.model import PodRun
from odahu_argo.trainings.logs import CONTAINER, Line, Missing, own_lines, pod_names, read_logs, require_step
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.queries import find_training
from odahu_argo.trainings.watch import Changed, Deleted, InSight, OutOfSight, watch_trainings

_ASK_AGAIN = 1.0
"""Seconds."""
_PATIENCE = 10
"""How often a log is asked for that should be whole, but cannot be had: its node may be gone."""


@dataclass(frozen=True, slots=True)
class TimeIsUp:
    """The time to follow has passed; the training goes on."""


Event = Changed | Line | Missing | OutOfSight | InSight | TimeIsUp


@dataclass(frozen=True, slots=True)
class _Failed:
    error: OdahuArgoError


@dataclass(frozen=True, slots=True)
class _LogEnded:
    """A log has been read to its end."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What those have in common who watch the training and read its logs: where they leave word, and when to give up."""

    cluster: Cluster
    word: SimpleQueue[Event | _Failed | _LogEnded]
    is_over: threading.Event
    has_ended: threading.Event


def follow(
    cluster: Cluster,
    training_id: str,
    timeout: float | None = None,
    logs: bool = True,
    step: str | None = None,
    is_over: threading.Event | None = None,
) -> Iterator[Event]:
    """How the training stands now, then each change until its newest run has ended, or `timeout` seconds have passed.

    Lines come as they are printed; those of steps that had ended come first, in order. With `step` only those of one step.
    Whoever follows in a thread sets `is_over` to end it early.

    Raises:
        NotFound: there is no such training, or it was deleted meanwhile.
        Forbidden: trainings or logs may not be read.
    """
    find_training(cluster, training_id)
    shared = _Shared(cluster, SimpleQueue(), is_over=is_over or threading.Event(), has_ended=threading.Event())
    _begin(_watch, shared, training_id)
    until = None if timeout is None else monotonic() + timeout
    begun: set[str] = set()
    open_logs = 0
    try:
        while not (shared.is_over.is_set() or (shared.has_ended.is_set() and open_logs == 0)):
            try:
                heard = shared.word.get(timeout=_ASK_AGAIN if until is None else _at_most(until))
            except Empty:
                if until is not None and monotonic() >= until:
                    yield TimeIsUp()
                    return
                continue
            match heard:
                case _Failed(error):
                    raise error
                case _LogEnded():
                    open_logs -= 1
                case Changed(training):
                    yield heard
                    if training.status.has_ended:
                        shared.has_ended.set()
                    else:
                        shared.has_ended.clear()
                    for name, run in _new_runs(training, begun, step) if logs else ():
                        begun.add(run.node_id)
                        open_logs += 1
                        if run.finished:
                            _read(shared, training.newest, name, run)
                        else:
                            _begin(_read, shared, training.newest, name, run)
                case Line() | Missing() | OutOfSight() | InSight() | TimeIsUp():
                    yield heard
    finally:
        shared.is_over.set()


def read_or_follow(
    cluster: Cluster,
    training: Training,
    follow_on: bool,
    step: str | None = None,
    log_connection: str | None = None,
    is_over: threading.Event | None = None,
) -> Iterator[Line | str]:
    """The lines of the training's log, or of one step; with `follow_on` until it has ended.

    What is text alone is said of the log: what is missing, and what a training that has not begun waits for.

    Raises:
        UserError: there is no such step.
        NotFound: it was deleted meanwhile.
        Forbidden, Unreachable: pods cannot be listed.
    """
    require_step(training, step)
    if not (follow_on and not training.status.has_ended and not training.newest.is_gone):
        if not any(each.runs for each in training.steps):
            yield f"training {training.id} is {training.status.state}; none of its steps has begun"
        yield from as_lines(read_logs(cluster, training, step, log_connection))
        return
    yield from as_lines(follow(cluster, training.id, step=step, is_over=is_over))


def as_lines(events: Iterable[Event | str]) -> Iterator[Line | str]:
    """Each line as it is, and what else happens in words, where it concerns the log."""
    said = ""
    for event in events:
        match event:
            case Line() | str():
                yield event
            case Missing():
                yield str(event)
            case OutOfSight(why):
                yield f"out of sight: {why}"
            case InSight():
                yield "in sight again"
            case Changed(training):
                status = training.status
                held_up = f"{status.state}: {status.message or status.reason}" if status.state == "scheduling" else ""
                if held_up and held_up != said:
                    yield f"training {training.id} is {held_up}"
                said = held_up


def _at_most(until: float) -> float:
    """Seconds to wait before looking again whether it is over."""
    return min(_ASK_AGAIN, max(0.0, until - monotonic()))


def _begin(work: object, *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]


def _watch(shared: _Shared, training_id: str) -> None:
    try:
        for change in watch_trainings(shared.cluster, training_id):
            if shared.is_over.is_set():
                return
            if isinstance(change, Deleted):
                raise NotFound(f"training {training_id!r} was deleted")
            shared.word.put(change)
    except OdahuArgoError as error:
        shared.word.put(_Failed(error))


def _new_runs(training: Training, begun: set[str], step: str | None) -> list[tuple[str, PodRun]]:
    """Pods that have begun to run and whose logs are not read yet, in the order of steps and attempts."""
    return [
        (each.name, run)
        for each in training.status.steps
        if step in (None, each.name)
        for run in each.runs
        if run.node_id not in begun and run.state not in ("waiting", "scheduling", "skipped")
    ]


def _read(shared: _Shared, attempt: Attempt, step: str, run: PodRun) -> None:
    """Leave word of each line, to the end of the log. After a lost connection the lines that were given are passed over."""
    cluster = shared.cluster
    given = 0
    patience = _PATIENCE
    try:
        while not shared.is_over.is_set():
            try:
                pod = pod_names(cluster, attempt.workflow).get(run.node_id)
                if pod is None:
                    return
                for text in islice(own_lines(cluster.pod_log(pod, CONTAINER, follow=True)), given, None):
                    given += 1
                    shared.word.put(Line(step, text))
                return
            except NotFound:
                return
            except (Rejected, Unreachable) as error:
                if run.finished or shared.has_ended.is_set():
                    patience -= 1
                if patience == 0:
                    shared.word.put(Missing(step, run.attempt, error.problems[0].message))
                    return
                shared.is_over.wait(_ASK_AGAIN)
    except OdahuArgoError as error:
        shared.word.put(_Failed(error))
    finally:
        shared.word.put(_LogEnded())
