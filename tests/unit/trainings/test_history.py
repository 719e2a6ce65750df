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
from odahu_argo.trainings.runs import mark_gone

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
    """Write a training into a ConfigMap and read it back."""
    config_map = json.loads(json.dumps(history.config_map("training-wine", training)))
    return history.parse_record(history.record_text(config_map))


def test_record_round_trip() -> None:
    training = Training("wine", (attempt(1, FAILED), attempt(2)))
    assert stored(training) == training


def test_merge_keeps_final_state() -> None:
    known = Training("wine", (attempt(status=FAILED),))
    later = Training(
        "wine", (attempt(status=replace(RUNNING, state="unknown"), seen="2026-02-01T00:00:00Z", is_gone=True),)
    )
    [merged] = history.merge(known, later).attempts
    assert (merged.status, merged.is_gone) == (FAILED, True)


def test_merge_prefers_final_state_despite_clock_skew() -> None:
    running = Training("wine", (attempt(seen="2026-01-01T13:00:00Z"),))
    failed = Training("wine", (attempt(status=FAILED, seen="2026-01-01T12:05:00Z"),))
    for first, second in ((running, failed), (failed, running)):
        [merged] = history.merge(first, second).attempts
        assert merged.status == FAILED


def test_merge_prefers_later_status_in_any_order() -> None:
    early, late = attempt(seen="2026-01-01T00:00:01Z"), attempt(status=FAILED, seen="2026-01-01T00:00:02Z")
    for first, second in ((early, late), (late, early)):
        [merged] = history.merge(Training("wine", (first,)), Training("wine", (second,))).attempts
        assert merged.status == FAILED


def test_merge_replaces_attempt_with_another_uid() -> None:
    known = Training("wine", (attempt(status=FAILED),))
    [merged] = history.merge(known, Training("wine", (attempt(uid="another"),))).attempts
    assert merged.status == RUNNING


def test_running_attempt_without_workflow_is_unknown() -> None:
    lost = mark_gone(attempt(seen="2026-01-02T03:04:05Z"))
    assert (lost.status.state, lost.status.reason) == ("unknown", "Gone")
    assert "its state at 2026-01-02T03:04:05Z was running" in lost.status.message
    assert lost.status.artifacts.commit_id == "c0"
    assert mark_gone(attempt(status=FAILED)).status == FAILED
    assert mark_gone(lost) == lost


def test_drops_oldest_attempts_from_large_record() -> None:
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
def test_parses_arbitrary_records_without_exception(content: object) -> None:
    for data in ({history.KEY: json.dumps(content)}, content, {history.KEY: content}):
        history.parse_record(history.record_text({"metadata": {"name": "training-wine"}, "data": data}))


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "wine"}', '{"id": "wine", "attempts": [{"number": "one"}]}'])
def test_invalid_record_is_none(text: str) -> None:
    assert history.parse_record(text) is None
