from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from odahu_argo.backends import polling
from odahu_argo.errors import NotFound, ServiceFault, Unreachable
from odahu_argo.odahu_api import training_from_api
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


def training(state: str) -> Training:
    return training_from_api({"id": "wine", "status": {"state": state}})


RUNNING, SUCCEEDED = training("running"), training("succeeded")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(polling, "MAX_POLL_SECONDS", 0.0)


def poll(*responses: Training | Exception) -> list[WatchEvent]:
    """Return the events until all responses have been read."""
    remaining = list(responses)
    events: list[WatchEvent] = []

    def read() -> list[Training]:
        response = remaining.pop(0)
        if isinstance(response, Exception):
            raise response
        return [response]

    for event in polling.poll(read):
        events.append(event)
        if not remaining and isinstance(event, Changed | Deleted):
            break
    return events


def test_reports_deletion_during_outage() -> None:
    events = poll(RUNNING, Unreachable("no answer"), NotFound("training 'wine' does not exist"))
    assert events == [Changed(RUNNING), Disconnected("no answer"), Reconnected(), Deleted("wine")]


def test_reports_each_state_once() -> None:
    assert poll(RUNNING, RUNNING, SUCCEEDED) == [Changed(RUNNING), Changed(SUCCEEDED)]


def test_missing_training_raises_not_found() -> None:
    with pytest.raises(NotFound):
        poll(NotFound("training 'wine' does not exist"))


class Backend:
    """Returns one state after the other, and a log that breaks off once."""

    def __init__(self, *states: Training) -> None:
        self.states = list(states)
        self.log_has_ended = threading.Event()
        self.reads = 0

    def get(self) -> Training:
        if len(self.states) > 1:
            return self.states.pop(0)
        self.log_has_ended.wait(30)
        return self.states[0]

    def read_log(self, stop: threading.Event) -> Iterator[LogEvent]:
        self.reads += 1
        yield LogNote("training wine is scheduling")
        yield LogLine("train", "epoch 1")
        if self.reads == 1:
            raise ServiceFault("the connection broke")
        yield LogLine("train", "epoch 2")
        self.log_has_ended.set()


def lines(events: list[FollowEvent]) -> list[FollowEvent]:
    return [event for event in events if isinstance(event, LogLine | LogNote)]


def test_follows_states_and_log_and_skips_known_lines_after_reconnecting() -> None:
    backend = Backend(RUNNING, RUNNING, SUCCEEDED)
    events = list(polling.follow(backend.get, backend.read_log))
    assert lines(events) == [
        LogNote("training wine is scheduling"), LogLine("train", "epoch 1"), LogLine("train", "epoch 2"),
    ]  # fmt: skip
    assert [event.training.status.state for event in events if isinstance(event, Changed)][-1] == "succeeded"


def test_ends_after_timeout_while_training_runs() -> None:
    backend = Backend(RUNNING, RUNNING)
    backend.log_has_ended.set()
    events = list(polling.follow(backend.get, lambda stop: iter(()), timeout=0.0))
    assert events[-1] == TimedOut()
