from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.status.model import Artifacts, PodRun, Status, StepStatus
from odahu_argo.trainings import history
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.queries import gone

RUNNING = Status("running", step="train", artifacts=Artifacts(commit_id="c0"))
FAILED = Status(
    "failed",
    "OOMKilled",
    exit_code=137,
    step="train",
    steps=(StepStatus("train", "failed", runs=(PodRun("n1", 1, "failed", archived_log={"s3": {"key": "k"}}),)),),
)


def attempt(number: int = 1, status: Status = RUNNING, seen: str = "2026-01-01T00:00:00Z", **more: Any) -> Attempt:
    values = {
        "workflow": f"wine-{number}",
        "uid": f"u{number}",
        "created": "2026-01-01T00:00:00Z",
        "digest": "d",
        "spec": {},
    }
    return Attempt(number=number, status=status, seen=seen, **{**values, **more})


def stored(training: Training) -> Training | None:
    """Through the ConfigMap and back."""
    return history.read(json.loads(json.dumps(history.config_map("training-wine", training))))


def test_a_record_gives_back_what_was_put_in() -> None:
    training = Training("wine", (attempt(1, FAILED), attempt(2)))
    assert stored(training) == training


def test_an_outcome_is_never_lost_for_a_state_that_is_none() -> None:
    known = Training("wine", (attempt(status=FAILED),))
    later = Training(
        "wine", (attempt(status=replace(RUNNING, state="unknown"), seen="2026-02-01T00:00:00Z", is_gone=True),)
    )
    [merged] = history.merge(known, later).attempts
    assert (merged.status, merged.is_gone) == (FAILED, True)


def test_an_outcome_counts_though_the_clock_of_who_saw_it_is_an_hour_behind() -> None:
    running = Training("wine", (attempt(seen="2026-01-01T13:00:00Z"),))
    failed = Training("wine", (attempt(status=FAILED, seen="2026-01-01T12:05:00Z"),))
    for first, second in ((running, failed), (failed, running)):
        [merged] = history.merge(first, second).attempts
        assert merged.status == FAILED


def test_what_was_seen_later_counts_whoever_writes_it_first() -> None:
    early, late = attempt(seen="2026-01-01T00:00:01Z"), attempt(status=FAILED, seen="2026-01-01T00:00:02Z")
    for first, second in ((early, late), (late, early)):
        [merged] = history.merge(Training("wine", (first,)), Training("wine", (second,))).attempts
        assert merged.status == FAILED


def test_a_training_that_was_deleted_and_made_anew_is_a_new_one() -> None:
    known = Training("wine", (attempt(status=FAILED),))
    [merged] = history.merge(known, Training("wine", (attempt(uid="another"),))).attempts
    assert merged.status == RUNNING


def test_a_run_whose_workflow_is_gone_is_unknown_with_its_last_state() -> None:
    lost = gone(attempt(seen="2026-01-02T03:04:05Z"))
    assert (lost.status.state, lost.status.reason) == ("unknown", "Gone")
    assert "it was running when last seen, 2026-01-02T03:04:05Z" in lost.status.message
    assert lost.status.artifacts.commit_id == "c0"
    assert gone(attempt(status=FAILED)).status == FAILED
    assert gone(lost) == lost, "its age does not begin anew"


def test_the_oldest_runs_make_room_for_the_newest() -> None:
    spec = {"hyperParameters": {"note": "x" * 20_000}}
    training = Training("wine", tuple(attempt(number, spec=spec) for number in range(1, 101)))
    kept = stored(training)
    assert kept is not None
    assert kept.newest.number == 100 and 20 < len(kept.attempts) < 60


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)
    )
)
def test_a_record_of_any_content_is_read_or_not_and_never_breaks(content: object) -> None:
    for data in ({history.KEY: json.dumps(content)}, content, {history.KEY: content}):
        history.read({"metadata": {"name": "training-wine"}, "data": data})


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "wine"}', '{"id": "wine", "attempts": [{"number": "one"}]}'])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    assert history.read({"data": {history.KEY: text}}) is None
