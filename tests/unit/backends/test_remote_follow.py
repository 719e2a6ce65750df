"""Trainings at an API server, asked for again and again. The answers are made up; real servers are in tests/server."""

from __future__ import annotations

from typing import Any

import pytest

from odahu_argo.backends import remote_follow
from odahu_argo.backends.base import Seen
from odahu_argo.backends.remote_follow import watch
from odahu_argo.errors import NotFound, Unreachable
from odahu_argo.trainings.watch import Deleted, InSight, OutOfSight

RUNNING = {"id": "wine", "status": {"state": "running"}}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_follow, "EVERY", 0.0)
    monkeypatch.setattr(remote_follow, "LONGEST", 0.0)


def watched(*answers: Any) -> list[Any]:
    """What is told of these answers, each a training or an error."""
    left = list(answers)
    events: list[Any] = []

    def ask() -> list[dict[str, Any]]:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer]

    for event in watch(ask):
        events.append(event)
        if not left and isinstance(event, (Seen, Deleted)):
            return events
    return events


def test_a_training_that_was_deleted_during_an_outage_is_told_as_deleted() -> None:
    events = watched(RUNNING, Unreachable("no answer"), NotFound("there is no training 'wine'"))
    assert events == [Seen(RUNNING), OutOfSight("no answer"), InSight(), Deleted("wine")]


def test_what_has_not_changed_is_not_told_again() -> None:
    ended = {"id": "wine", "status": {"state": "succeeded"}}
    assert watched(RUNNING, RUNNING, ended) == [Seen(RUNNING), Seen(ended)]


def test_a_training_that_was_never_there_is_an_error() -> None:
    with pytest.raises(NotFound):
        watched(NotFound("there is no training 'wine'"))
