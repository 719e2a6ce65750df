"""Follow a training: changes of its state and the lines that its steps print, until it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from odahu_argo.errors import NotFound, OdahuArgoError, Rejected, Unreachable
from odahu_argo.kube.cluster import Cluster
from odahu_argo.status.model import PodRun
from odahu_argo.trainings.events import (
    Changed,
    Deleted,
    Disconnected,
    FollowEvent,
    LogEvent,
    LogLine,
    LogNote,
    Reconnected,
    TimedOut,
)
from odahu_argo.trainings.logs import (
    CONTAINER,
    missing_log,
    pod_names,
    preparation_lines,
    read_logs,
    require_step,
    step_lines,
)
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.queries import find_training
from odahu_argo.trainings.watch import watch_trainings

POLL_SECONDS = 1.0
"""Interval between checks of the stop flags, and between tries to open a log."""
MAX_TRIES = 10
"""Tries to read the log of a pod that has ended; its node may be gone."""


@dataclass(frozen=True, slots=True)
class _LogEnded:
    """A log has been read to its end."""


@dataclass(frozen=True, slots=True)
class _FollowSession:
    """State shared by the watch and log threads: event queue and stop flags."""

    cluster: Cluster
    stop: threading.Event
    has_ended: threading.Event = field(default_factory=threading.Event)
    queue: SimpleQueue[FollowEvent | OdahuArgoError | _LogEnded] = field(default_factory=SimpleQueue)
    open_requests: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Functions that end the current request of the watch, and that of each log."""

    def add_request(self, name: str, end: Callable[[], None]) -> None:
        """Add a request that `end_requests` ends, in place of the earlier one with this name."""
        self.open_requests[name] = end
        if self.stop.is_set():
            self.end_requests()

    def end_requests(self) -> None:
        """End all requests, whose threads would otherwise wait for the next line or change."""
        for end in list(self.open_requests.values()):
            with suppress(OSError, RuntimeError, ValueError):
                end()


def follow(
    cluster: Cluster,
    training_id: str,
    timeout: float | None = None,
    step: str | None = None,
    stop: threading.Event | None = None,
) -> Iterator[FollowEvent]:
    """Yield the training, then each change and each new log line until the newest attempt has ended.

    The lines of steps that ended before come first, in order. With `step`, yield the lines of that step only. After
    `timeout` seconds the last event is TimedOut. Set `stop` to end early.

    Raises:
        NotFound: The training does not exist or was deleted.
        Forbidden: The account may not read trainings or logs.
    """
    find_training(cluster, training_id)
    session = _FollowSession(cluster, stop or threading.Event())
    _start(_watch, session, training_id)
    deadline = None if timeout is None else monotonic() + timeout
    opened: set[str] = set()
    open_logs = 0
    try:
        while not (session.stop.is_set() or (session.has_ended.is_set() and open_logs == 0)):
            try:
                event = session.queue.get(timeout=_remaining(deadline))
            except Empty:
                if deadline is not None and monotonic() >= deadline:
                    yield TimedOut()
                    return
                continue
            match event:
                case OdahuArgoError():
                    raise event
                case _LogEnded():
                    open_logs -= 1
                case Changed(training):
                    yield event
                    _set(session.has_ended, training.status.has_ended)
                    for name, run in _new_runs(training, opened, step):
                        opened.add(run.node_id)
                        open_logs += 1
                        if run.finished:
                            _read_log(session, training.newest, name, run)
                        else:
                            _start(_read_log, session, training.newest, name, run)
                case _:
                    yield event
    finally:
        session.stop.set()
        session.end_requests()


def read_or_follow(
    cluster: Cluster,
    training: Training,
    is_following: bool,
    step: str | None = None,
    log_connection: str | None = None,
    stop: threading.Event | None = None,
) -> Iterator[LogEvent]:
    """Yield the log of a training or of one step. With `is_following`, continue until the training has ended.

    Raises:
        UserError: The training has no such step.
        NotFound: The training was deleted.
        Forbidden, Unreachable: Pods cannot be listed.
    """
    require_step(training, step)
    if is_following and not training.status.has_ended and not training.newest.is_gone:
        yield from log_events(follow(cluster, training.id, step=step, stop=stop))
        return
    if not any(found.runs for found in training.steps):
        yield LogNote(f"training {training.id} is {training.status.state}; no step has started")
    yield from read_logs(cluster, training, step, log_connection)


def log_events(events: Iterable[FollowEvent]) -> Iterator[LogEvent]:
    """Reduce the events of a followed training to its log. Outages and reasons for waiting become notes."""
    last = ""
    for event in events:
        match event:
            case LogLine() | LogNote():
                yield event
            case Disconnected(message):
                yield LogNote(f"disconnected: {message}")
            case Reconnected():
                yield LogNote("reconnected")
            case Changed(training):
                status = training.status
                waiting = f"{status.state}: {status.message or status.reason}" if status.state == "scheduling" else ""
                if waiting and waiting != last:
                    yield LogNote(f"training {training.id} is {waiting}")
                last = waiting
            case _:
                pass


def _remaining(deadline: float | None) -> float:
    return POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))


def _set(flag: threading.Event, value: bool) -> None:
    if value:
        flag.set()
    else:
        flag.clear()


def _start(target: Any, *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _watch(session: _FollowSession, training_id: str) -> None:
    """Put each change of the training into the queue."""
    try:
        on_open = partial(session.add_request, "watch")
        for event in watch_trainings(session.cluster, training_id, session.stop, on_open):
            if isinstance(event, Deleted):
                raise NotFound(f"training {training_id!r} was deleted")
            session.queue.put(event)
    except OdahuArgoError as error:
        session.queue.put(error)


def _new_runs(training: Training, opened: set[str], step: str | None) -> list[tuple[str, PodRun]]:
    """Return the pods that have started and whose logs are not open yet, ordered by step and attempt."""
    return [
        (found.name, run)
        for found in training.status.steps
        if step in (None, found.name)
        for run in found.runs
        if run.node_id not in opened and run.state not in ("waiting", "scheduling", "skipped")
    ]


def _read_log(session: _FollowSession, attempt: Attempt, step: str, run: PodRun) -> None:
    """Put each line of a pod's log into the queue. After a lost connection, skip the lines that were already read."""
    cluster = session.cluster
    lines_read, tries_left = 0, MAX_TRIES
    try:
        while not session.stop.is_set():
            try:
                pod = pod_names(cluster, attempt.workflow).get(run.node_id)
                if pod is None:
                    return
                log = cluster.pod_log(pod, CONTAINER, follow=True, on_open=partial(session.add_request, run.node_id))
                for line in islice(step_lines(log), lines_read, None):
                    lines_read += 1
                    session.queue.put(LogLine(step, line))
                return
            except NotFound:
                return
            except (Rejected, Unreachable) as error:
                if run.finished or session.has_ended.is_set():
                    tries_left -= 1
                if tries_left == 0 and (prepared := list(preparation_lines(cluster, step, pod))):
                    for prepared_line in prepared:
                        session.queue.put(prepared_line)
                    return
                if tries_left == 0:
                    session.queue.put(missing_log(step, run, error.problems[0].message))
                    return
                session.stop.wait(POLL_SECONDS)
    except OdahuArgoError as error:
        session.queue.put(error)
    finally:
        session.queue.put(_LogEnded())
