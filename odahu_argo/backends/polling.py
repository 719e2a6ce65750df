"""Watch and follow trainings of a backend without change notifications, by reading them at intervals."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic

from odahu_argo.errors import NotFound, OdahuArgoError, ServiceFault, Unreachable
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
    WatchEvent,
)
from odahu_argo.trainings.model import Training

POLL_SECONDS = 1.0
MAX_POLL_SECONDS = 10.0
"""Longest interval while the backend cannot be reached."""
LOG_SECONDS = 30.0
"""Time that the log gets to finish after the training has ended."""


def poll(read: Callable[[], Iterable[Training]]) -> Iterator[WatchEvent]:
    """Yield the trainings that `read` returns, then each change. The iterator never ends.

    Raises:
        NotFound: The first call of `read` raised it. Later, the trainings count as deleted.
        Forbidden: The account may not read the trainings.
    """
    known: dict[str, object] = {}
    wait, is_disconnected = POLL_SECONDS, False
    while True:
        try:
            trainings = {training.id: training for training in read()}
        except NotFound:
            if not known:
                raise
            trainings = {}
        except Unreachable as error:
            wait, is_disconnected = min(MAX_POLL_SECONDS, wait * 2), True
            yield Disconnected(error.problems[0].message)
            time.sleep(wait)
            continue
        if is_disconnected:
            yield Reconnected()
        wait, is_disconnected = POLL_SECONDS, False
        for training_id in [training_id for training_id in known if training_id not in trainings]:
            del known[training_id]
            yield Deleted(training_id)
        for training in trainings.values():
            content = (training.newest.number, training.newest.created, training.status)
            if known.get(training.id) != content:
                known[training.id] = content
                yield Changed(training)
        time.sleep(wait)


@dataclass(frozen=True, slots=True)
class _PollSession:
    """State shared by the poll and log threads: stop flags and the event queue, where None marks the end of the log."""

    get: Callable[[], Training]
    read_log: Callable[[threading.Event], Iterator[LogEvent]]
    stop: threading.Event
    has_ended: threading.Event = field(default_factory=threading.Event)
    queue: SimpleQueue[FollowEvent | OdahuArgoError | None] = field(default_factory=SimpleQueue)


def follow(
    get: Callable[[], Training],
    read_log: Callable[[threading.Event], Iterator[LogEvent]],
    timeout: float | None = None,
    stop: threading.Event | None = None,
) -> Iterator[FollowEvent]:
    """Yield the training, then each change and each log line until it has ended or `timeout` seconds have passed.

    `read_log` follows the log from its first line. After a lost connection it is called again, and known lines are skipped.

    Raises:
        NotFound: The training does not exist or was deleted.
        Forbidden: The account may not read the training.
    """
    session = _PollSession(get, read_log, stop or threading.Event())
    deadline = None if timeout is None else monotonic() + timeout
    first = get()
    for work in (_poll, _read_log):
        threading.Thread(target=work, args=(session,), daemon=True).start()
    log_ended, ended_at = False, None
    try:
        yield Changed(first)
        while not session.stop.is_set():
            if session.has_ended.is_set():
                ended_at = ended_at or monotonic()
                if session.queue.empty() and (log_ended or monotonic() > ended_at + LOG_SECONDS):
                    return
            try:
                wait = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))
                event = session.queue.get(timeout=wait)
            except Empty:
                if deadline is not None and monotonic() >= deadline and not session.has_ended.is_set():
                    yield TimedOut()
                    return
                continue
            if isinstance(event, OdahuArgoError):
                raise event
            if event is None:
                log_ended = True
            else:
                yield event
    finally:
        session.stop.set()


def _poll(session: _PollSession) -> None:
    """Put each change into the queue. After a deletion, read the training again for the backend's own error message."""
    try:
        for event in poll(lambda: [session.get()]):
            if session.stop.is_set():
                return
            if isinstance(event, Deleted):
                session.get()
                continue
            session.queue.put(event)
            if isinstance(event, Changed) and event.training.status.has_ended:
                session.has_ended.set()
                return
    except OdahuArgoError as error:
        session.queue.put(error)


def _read_log(session: _PollSession) -> None:
    """Put each line into the queue. A log that starts over is skipped up to the number of known lines of each step."""
    delivered: Counter[str] = Counter()
    notes: set[str] = set()
    try:
        while not session.stop.is_set():
            is_last = session.has_ended.is_set()
            try:
                skip = Counter(delivered)
                for event in session.read_log(session.stop):
                    if session.stop.is_set():
                        return
                    if isinstance(event, LogNote):
                        if event.text not in notes:
                            session.queue.put(event)
                        notes.add(event.text)
                    elif skip[event.step] > 0:
                        skip[event.step] -= 1
                    else:
                        delivered[event.step] += 1
                        session.queue.put(LogLine(event.step, event.text))
                if is_last or session.has_ended.is_set():
                    return
            except (Unreachable, ServiceFault):
                if is_last:
                    return
            session.stop.wait(POLL_SECONDS)
    except OdahuArgoError as error:
        session.queue.put(error)
    finally:
        session.queue.put(None)
