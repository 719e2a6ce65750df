"""A training at an API server as it goes: asked how it stands again and again, and its log read beside."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

from odahu_argo.client.requests import Server
from odahu_argo.client.site import Followed, Form, Seen
from odahu_argo.client.standing import standing
from odahu_argo.errors import OdahuArgoError, ServiceFault
from odahu_argo.submit.cluster import Unreachable
from odahu_argo.trainings.follow import TimeIsUp
from odahu_argo.trainings.logs import Line
from odahu_argo.trainings.watching import InSight, OutOfSight

EVERY = 1.0
"""Seconds from one question to the next."""
LONGEST = 10.0
"""Seconds, while the server does not answer."""
_LAST_LINES = 30.0
"""Seconds for which a log may go on after the training has ended."""
_OF_A_STEP = re.compile(r"(?P<step>[a-z0-9][-a-z0-9]*) \| (?P<text>.*)", re.DOTALL)
_FAULT = "error: "


@dataclass(frozen=True, slots=True)
class _LogEnded:
    """The log has been read to its end."""


_Word = SimpleQueue[Followed | OdahuArgoError | _LogEnded]


def log_lines(server: Server, training_id: str, follow: bool) -> Iterator[Line | str]:
    """The lines of the log as the server sends them; what no step has printed is said of the log.

    Raises:
        NotFound: there is no such training.
        ServiceFault: the server says that it could not read on.
    """
    path = ("model", "training", training_id, "log")
    for line in server.lines(f"read the log of training {training_id}", *path, query={"follow": str(follow).lower()}):
        if printed := _OF_A_STEP.fullmatch(line):
            yield Line(printed["step"], printed["text"])
        elif line.startswith(_FAULT):
            raise ServiceFault(line.removeprefix(_FAULT))
        else:
            yield line


def follow(
    server: Server, training_id: str, get: Callable[[], Form], timeout: float | None = None
) -> Iterator[Followed]:
    """How the training stands now, by `get`, then each change and each line until it has ended, or the time is up.

    After a lost connection the lines that were given are passed over.

    Raises:
        NotFound: there is no such training, or it was deleted meanwhile.
        Denied: the server does not let us in.
    """
    word: _Word = SimpleQueue()
    is_over, has_ended = threading.Event(), threading.Event()
    until = None if timeout is None else monotonic() + timeout
    first = get()
    for work in (_ask_again, _read_log):
        threading.Thread(target=work, args=(server, training_id, get, word, is_over, has_ended), daemon=True).start()
    log_ended, ended_at = False, None
    try:
        yield Seen(first)
        while True:
            if has_ended.is_set():
                ended_at = ended_at or monotonic()
                if word.empty() and (log_ended or monotonic() > ended_at + _LAST_LINES):
                    return
            try:
                heard = word.get(timeout=EVERY if until is None else min(EVERY, max(0.0, until - monotonic())))
            except Empty:
                if until is not None and monotonic() >= until and not has_ended.is_set():
                    yield TimeIsUp()
                    return
                continue
            if isinstance(heard, OdahuArgoError):
                raise heard
            if isinstance(heard, _LogEnded):
                log_ended = True
            else:
                yield heard
    finally:
        is_over.set()


def _ask_again(
    server: Server,
    training_id: str,
    get: Callable[[], Form],
    word: _Word,
    is_over: threading.Event,
    has_ended: threading.Event,
) -> None:
    last: object = None
    wait, is_lost = EVERY, False
    while not is_over.is_set():
        try:
            form = get()
        except Unreachable as error:
            wait, is_lost = min(LONGEST, wait * 2), True
            word.put(OutOfSight(error.problems[0].message))
        except OdahuArgoError as error:
            word.put(error)
            return
        else:
            if is_lost:
                word.put(InSight())
            wait, is_lost = EVERY, False
            if news(form) != last:
                last = news(form)
                word.put(Seen(form))
            if standing(form).has_ended:
                has_ended.set()
                return
        is_over.wait(wait)


def news(form: Form) -> object:
    """What of the form is a change when it is another."""
    told = standing(form)
    return told.state, told.reason, told.message, told.attempt, told.artifact_name, told.run_id, told.steps


def _read_log(
    server: Server,
    training_id: str,
    get: Callable[[], Form],
    word: _Word,
    is_over: threading.Event,
    has_ended: threading.Event,
) -> None:
    """Leave word of each line. A log that begins anew is passed over as far as each step's lines are known."""
    given: Counter[str] = Counter()
    said: set[str] = set()
    try:
        while not is_over.is_set():
            was_over = has_ended.is_set()
            try:
                known = Counter(given)
                for line in log_lines(server, training_id, follow=True):
                    if is_over.is_set():
                        return
                    if isinstance(line, str):
                        if line not in said:
                            word.put(line)
                        said.add(line)
                    elif known[line.step] > 0:
                        known[line.step] -= 1
                    else:
                        given[line.step] += 1
                        word.put(line)
                if was_over or has_ended.is_set():
                    return
            except (Unreachable, ServiceFault):
                if was_over:
                    return
            is_over.wait(EVERY)
    except OdahuArgoError as error:
        word.put(error)
    finally:
        word.put(_LogEnded())
