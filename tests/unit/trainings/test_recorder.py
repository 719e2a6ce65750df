from __future__ import annotations

from collections.abc import Callable

import pytest

from odahu_argo.errors import Forbidden, Rejected, Unreachable
from odahu_argo.kube.cluster import PERSISTENT_VOLUME_CLAIM, WORKFLOW
from odahu_argo.plan.model import Plan
from odahu_argo.trainings import actions, history, recorder
from odahu_argo.trainings.queries import find_training
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play


class Stop(Exception):
    """Ends the recorder."""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MIN_RETRY_SECONDS", 0.001)


def record_until(cluster: InMemoryCluster, last: str, react: Callable[[str], object] = lambda line: None) -> list[str]:
    """Run the recorder until it reports the line `last`. `react` is called with each line."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        react(line)
        if line == last:
            raise Stop

    with pytest.raises(Stop):
        recorder.run(cluster, report)
    return lines


def test_writes_each_new_state(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    play_when = {"wine: attempt 1 is scheduling": "running-train", "wine: attempt 1 is running": "succeeded"}

    def react(line: str) -> None:
        if line in play_when:
            play(cluster, "wine-1", play_when[line])

    record_until(cluster, "wine: attempt 1 is succeeded", react)
    recorded = history.find_record(cluster, "wine")
    assert recorded is not None
    assert recorded.status == find_training(cluster, "wine").status


def test_does_not_rewrite_an_up_to_date_record(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    record_until(cluster, "wine: attempt 1 is scheduling")
    cluster.requests.clear()
    record_until(cluster, "wine: attempt 1 is scheduling")
    assert cluster.writes == []


def test_keeps_last_status_of_a_deleted_workflow(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)

    def fail_and_delete(line: str) -> None:
        if line == "wine: attempt 1 is scheduling":
            play(cluster, "wine-1", "oom")
            cluster.delete(WORKFLOW, "wine-1")

    record_until(cluster, "wine: attempt 1 is failed", fail_and_delete)
    training = find_training(cluster, "wine")
    assert (training.status.state, training.status.exit_code, training.newest.workflow) == ("failed", 137, "wine-1")


def test_does_not_restore_a_deleted_training(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)

    def delete(line: str) -> None:
        if line == "wine: attempt 1 is scheduling":
            actions.delete(cluster, "wine")

    record_until(cluster, "wine: deleted", delete)
    assert history.find_record(cluster, "wine") is None


def test_retries_when_the_record_cannot_be_written(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.fail_next("create", Unreachable("no answer"))
    lines = record_until(cluster, "wine: attempt 1 is scheduling")
    assert lines[0] == "wine: cannot write the record, trying again: no answer"
    assert history.find_record(cluster, "wine") is not None


def test_reports_a_rejected_record_and_continues(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.fail_next("create", Rejected("quota exceeded"))
    lines = record_until(cluster, "wine: attempt 1 is scheduling")
    assert lines[0] == "wine: cannot write the record: quota exceeded"


def test_ends_without_permission_to_write(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    cluster.fail_next("create", Forbidden("may not create ConfigMaps"))
    with pytest.raises(Forbidden):
        recorder.run(cluster, lambda line: None)


def test_deletes_workspace_of_replaced_attempt(cluster: InMemoryCluster, wine: Plan) -> None:
    actions.create(cluster, wine)
    actions.edit(cluster, wine)
    for name in ("wine-1-workspace", "wine-2-workspace"):
        cluster.create(PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": name}})
    play(cluster, "wine-1", "terminated")
    play(cluster, "wine-2", "train-failed")
    record_until(cluster, "wine: attempt 2 is failed")
    claims = [claim["metadata"]["name"] for claim in cluster.list(PERSISTENT_VOLUME_CLAIM).items]
    assert claims == ["wine-2-workspace"]
