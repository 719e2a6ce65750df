"""Trainings watched on a real Kubernetes API that goes out of sight: no change is lost, and the end of it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.kube.cluster import WORKFLOW, Object
from odahu_argo.naming import TRAINING_ID_LABEL
from odahu_argo.trainings.queries import list_trainings
from odahu_argo.trainings.submit import send
from odahu_argo.trainings.watch import Changed, InSight, OutOfSight, Seen, watch_trainings
from tests.cluster.conftest import Through
from tests.manifests import plan

pytestmark = pytest.mark.cluster


def words(seen: Seen) -> str:
    return f"{seen.training.id} {seen.training.status.state}" if isinstance(seen, Changed) else type(seen).__name__


def test_a_training_that_cannot_be_read_when_it_changes_is_told_when_it_can(through: Through, tmp_path: Path) -> None:
    send(through.cluster, compile_workflow(plan(tmp_path)))
    lost: list[str] = []

    def loses_one_reading_with_all_its_tries(request: str) -> bool:
        is_lost = "configmaps" in request and len(lost) < 4
        lost.extend([request] * is_lost)
        return is_lost

    through.proxy.loses = loses_one_reading_with_all_its_tries
    watching = watch_trainings(through.cluster, "wine")
    assert [words(next(watching)) for _ in range(3)] == ["OutOfSight", "wine scheduling", "InSight"]
    watching.close()  # type: ignore[attr-defined]


def test_a_watch_of_many_begins_with_two_lists(through: Through, tmp_path: Path) -> None:
    compiled = compile_workflow(plan(tmp_path))
    for number in range(12):
        send(through.cluster, _called(compiled, f"wine{number:02}"))
    list(list_trainings(through.cluster))
    before = len(through.proxy.requests)
    watching = watch_trainings(through.cluster)
    assert [words(next(watching)) for _ in range(12)] == [f"wine{number:02} scheduling" for number in range(12)]
    watching.close()  # type: ignore[attr-defined]
    asked = [line for line in through.proxy.requests[before:] if "watch=true" not in line]
    assert [("configmaps" in line, "workflows" in line) for line in asked] == [(False, True), (True, False)]


def test_a_training_of_two_attempts_is_told_by_the_newest(through: Through, tmp_path: Path) -> None:
    planned = plan(tmp_path)
    for number in (1, 2):
        send(through.cluster, compile_workflow(planned, number))
    through.cluster.patch(WORKFLOW, "wine-1", {"status": {"phase": "Failed"}})
    watching = watch_trainings(through.cluster)
    assert words(next(watching)) == "wine scheduling"
    through.cluster.delete(WORKFLOW, "wine-2")
    through.cluster.patch(WORKFLOW, "wine-1", {"status": {"phase": "Succeeded"}})
    seen = [next(watching) for _ in range(2)]
    assert [[attempt.is_gone for attempt in each.training.attempts] for each in seen if isinstance(each, Changed)] == [
        [False, True]
    ] * 2
    watching.close()  # type: ignore[attr-defined]


def _called(workflow: Object, training: str) -> Object:
    metadata = workflow["metadata"]
    labels = {**metadata["labels"], TRAINING_ID_LABEL: training}
    return {**workflow, "metadata": {**metadata, "name": f"{training}-1", "labels": labels}}


def test_the_end_of_an_outage_is_told_where_nothing_has_changed(through: Through, tmp_path: Path) -> None:
    send(through.cluster, compile_workflow(plan(tmp_path)))
    watching = watch_trainings(through.cluster, "wine")
    assert words(next(watching)) == "wine scheduling"
    through.proxy.cut()
    assert isinstance(next(watching), OutOfSight)
    through.proxy.mend()
    assert next(seen for seen in watching if not isinstance(seen, OutOfSight)) == InSight()
    watching.close()  # type: ignore[attr-defined]
