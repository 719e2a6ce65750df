"""A training at an API server as it goes: asked how it stands again and again, and its log read beside."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

from odahu_argo.backends.base import Followed, Form, Seen, Watched
from odahu_argo.backends.remote_client import Server
from odahu_argo.backends.standing import standing
from odahu_argo.errors import NotFound, OdahuArgoError, ServiceFault, Unreachable
from odahu_argo.trainings.follow import TimeIsUp
from odahu_argo.trainings.logs import Line
from odahu_argo.trainings.watch import Deleted, InSight, OutOfSight

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


@dataclass(frozen=True, slots=True)
class _Shared:
    """What those have in common who watch the training and read its log: where they leave word, and when to give up."""

    server: Server
    training_id: str
    get: Callable[[], Form]
    word: SimpleQueue[Followed | OdahuArgoError | _LogEnded]
    is_over: threading.Event
    has_ended: threading.Event


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
        Forbidden: the server does not let us in.
    """
    shared = _Shared(server, training_id, get, SimpleQueue(), is_over=threading.Event(), has_ended=threading.Event())
    until = None if timeout is None else monotonic() + timeout
    first = get()
    for work in (_watch, _read_log):
        threading.Thread(target=work, args=(shared,), daemon=True).start()
    log_ended, ended_at = False, None
    try:
        yield Seen(first)
        while True:
            if shared.has_ended.is_set():
                ended_at = ended_at or monotonic()
                if shared.word.empty() and (log_ended or monotonic() > ended_at + _LAST_LINES):
                    return
            try:
                heard = shared.word.get(timeout=EVERY if until is None else min(EVERY, max(0.0, until - monotonic())))
            except Empty:
                if until is not None and monotonic() >= until and not shared.has_ended.is_set():
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
        shared.is_over.set()


def _watch(shared: _Shared) -> None:
    """Leave word of each change. Once the training is gone, the server is asked again for its own words."""
    try:
        for change in watch(lambda: [shared.get()]):
            if shared.is_over.is_set():
                return
            if isinstance(change, Deleted):
                shared.get()
                continue
            shared.word.put(change)
            if isinstance(change, Seen) and standing(change.form).has_ended:
                shared.has_ended.set()
                return
    except OdahuArgoError as error:
        shared.word.put(error)


def watch(ask: Callable[[], Iterable[Form]]) -> Iterator[Watched]:
    """The trainings that `ask` gives, as they stand, then each change, asked for again and again.

    Raises:
        NotFound: `ask` does at the first time.
        Forbidden: the server does not let us in.
    """
    known: dict[str, object] = {}
    wait, is_lost = EVERY, False
    while True:
        try:
            forms = {form["id"]: form for form in ask()}
        except NotFound:
            if not known:
                raise
            forms = {}
        except Unreachable as error:
            wait, is_lost = min(LONGEST, wait * 2), True
            yield OutOfSight(error.problems[0].message)
            time.sleep(wait)
            continue
        if is_lost:
            yield InSight()
        wait, is_lost = EVERY, False
        for name in [name for name in known if name not in forms]:
            del known[name]
            yield Deleted(name)
        for name, form in forms.items():
            if known.get(name) != _news(form):
                known[name] = _news(form)
                yield Seen(form)
        time.sleep(wait)


def _news(form: Form) -> object:
    """What of the form is a change when it is another."""
    told = standing(form)
    return told.state, told.reason, told.message, told.attempt, told.artifact_name, told.run_id, told.steps


def _read_log(shared: _Shared) -> None:
    """Leave word of each line. A log that begins anew is passed over as far as each step's lines are known."""
    given: Counter[str] = Counter()
    said: set[str] = set()
    try:
        while not shared.is_over.is_set():
            was_over = shared.has_ended.is_set()
            try:
                known = Counter(given)
                for line in log_lines(shared.server, shared.training_id, follow=True):
                    if shared.is_over.is_set():
                        return
                    if isinstance(line, str):
                        if line not in said:
                            shared.word.put(line)
                        said.add(line)
                    elif known[line.step] > 0:
                        known[line.step] -= 1
                    else:
                        given[line.step] += 1
                        shared.word.put(line)
                if was_over or shared.has_ended.is_set():
                    return
            except (Unreachable, ServiceFault):
                if was_over:
                    return
            shared.is_over.wait(EVERY)
    except OdahuArgoError as error:
        shared.word.put(error)
    finally:
        shared.word.put(_LogEnded())
