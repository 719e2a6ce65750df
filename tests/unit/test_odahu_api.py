"""A status as ODAHU's API has it."""

from __future__ import annotations

import json

import pytest

from odahu_argo.local.home import Home
from odahu_argo.local.odahu_form import odahu_form as local_form
from odahu_argo.local.store import LocalTraining, StepRecord
from odahu_argo.odahu_api import odahu_form
from odahu_argo.status.state import read_status
from tests.unit.status.recordings import recording
from tests.unit.status.variants import SITUATIONS


def test_the_names_are_odahus_and_ours_stand_apart() -> None:
    form = odahu_form(read_status(recording("retried-then-failed")))
    assert list(form) == ["state", "reason", "message", "exitCode", "podName", "artifacts", "argo"]
    assert (form["state"], form["exitCode"]) == ("failed", 7)
    assert form["podName"] == "retried-then-failed-train-1924882228"
    [artifact] = form["artifacts"]
    assert list(artifact) == ["runId", "artifactName", "commitID"]
    argo = form["argo"]
    assert (argo["workflow"], argo["phase"], argo["step"]) == ("retried-then-failed", "Failed", "train")
    train = argo["steps"][2]
    assert [(each["attempt"], each["exitCode"], each["startedAt"]) for each in train["attempts"]] == [
        (1, 7, "2026-11-23T20:29:31Z"),
        (2, 7, "2026-11-23T20:29:41Z"),
    ]


@pytest.mark.parametrize("name", ["created", "stopped-before-start"])
def test_what_is_not_known_is_not_there(name: str) -> None:
    form = odahu_form(read_status(SITUATIONS[name]))
    assert form["artifacts"] == []
    assert "podName" not in form
    assert form["exitCode"] is None
    json.dumps(form)


def test_trainings_of_this_machine_and_of_a_cluster_read_alike(tmp_path: object) -> None:
    on_cluster = odahu_form(read_status(recording("succeeded")))
    step = StepRecord("train", "succeeded", 0)
    training = LocalTraining("a", "b", "1", "mlflow", "succeeded", "", "", "", "", run_id="r", steps=(step,))
    here = local_form(training, Home(tmp_path))["status"]  # type: ignore[arg-type]
    assert set(here) - {"local"} <= set(on_cluster)
    assert set(here["artifacts"][0]) == set(on_cluster["artifacts"][0])
    assert set(here["local"]["steps"][0]) <= set(on_cluster["argo"]["steps"][0])
