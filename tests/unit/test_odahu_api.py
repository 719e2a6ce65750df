"""Trainings as JSON documents of ODAHU's API, in both directions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.backends.local import to_training
from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, StepRecord
from odahu_argo.odahu_api import history_to_api, status_to_api, training_from_api, training_to_api
from odahu_argo.status.state import read_status
from odahu_argo.trainings.model import Attempt, Training
from tests.unit.status.recordings import recording
from tests.unit.status.variants import SITUATIONS


def test_status_uses_odahus_field_names() -> None:
    document = status_to_api(read_status(recording("retried-then-failed")))
    assert list(document) == ["state", "reason", "message", "exitCode", "podName", "artifacts", "argo"]
    assert (document["state"], document["exitCode"]) == ("failed", 7)
    assert document["podName"] == "retried-then-failed-train-1924882228"
    [artifact] = document["artifacts"]
    assert list(artifact) == ["runId", "artifactName", "commitID"]
    argo = document["argo"]
    assert (argo["workflow"], argo["phase"], argo["step"]) == ("retried-then-failed", "Failed", "train")
    train = argo["steps"][2]
    assert [(run["attempt"], run["exitCode"], run["startedAt"]) for run in train["attempts"]] == [
        (1, 7, "2026-11-23T20:29:31Z"),
        (2, 7, "2026-11-23T20:29:41Z"),
    ]


@pytest.mark.parametrize("name", ["created", "stopped-before-start"])
def test_unknown_values_are_omitted(name: str) -> None:
    document = status_to_api(read_status(SITUATIONS[name]))
    assert document["artifacts"] == []
    assert "podName" not in document
    assert document["exitCode"] is None
    json.dumps(document)


def cluster_training(name: str = "retried-then-failed") -> Training:
    status = read_status(recording(name))
    spec = {"model": {"name": "wine", "version": "1.0"}, "toolchain": "mlflow"}
    first = Attempt(1, "wine-1", "u1", "2026-01-01T00:00:00Z", "d", spec, status, "2026-01-01T00:10:00Z", is_gone=True)
    second = Attempt(2, "wine-2", "u2", "2026-01-02T00:00:00Z", "d", spec, status, "2026-01-02T00:10:00Z")
    return Training("wine", (first, second))


def local_training(tmp_path: Path) -> Training:
    steps = (StepRecord("checkout", "succeeded", 0), StepRecord("train", "failed", 2, "no labels"))
    times = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")
    record = LocalTraining("wine", "wine", "1.0", "mlflow", "failed", *times, "d", "file:///models", steps=steps)
    return to_training(replace(record, reason="train: no labels", exit_code=2, run_id="r"), Home(tmp_path))


def test_training_document_has_times_of_first_and_newest_attempt() -> None:
    document = training_to_api(cluster_training())
    assert list(document) == ["kind", "id", "createdAt", "updatedAt", "spec", "status"]
    assert document["createdAt"] == "2026-01-01T00:00:00Z"
    argo = document["status"]["argo"]
    assert list(argo)[-4:] == ["attempt", "createdAt", "seen", "gone"]
    assert (argo["workflow"], argo["attempt"], argo["createdAt"], argo["gone"]) == (
        "wine-2", 2, "2026-01-02T00:00:00Z", False,
    )  # fmt: skip


def test_history_lists_attempts_newest_first() -> None:
    history = history_to_api(cluster_training())
    assert [(entry["attempt"], entry["status"]["argo"]["gone"]) for entry in history] == [(2, False), (1, True)]


def test_local_status_matches_the_fields_of_a_cluster(tmp_path: Path) -> None:
    on_cluster = training_to_api(cluster_training("succeeded"))["status"]
    here = training_to_api(local_training(tmp_path))["status"]
    assert set(here) - {"local"} <= set(on_cluster)
    assert set(here["artifacts"][0]) == set(on_cluster["artifacts"][0])
    assert set(here["local"]["steps"][0]) <= set(on_cluster["argo"]["steps"][0])
    assert here["reason"] == "train: no labels"
    assert here["local"]["logs"] == str(tmp_path / "runs" / "wine" / "logs")


@pytest.mark.parametrize("name", ["succeeded", "retried-then-failed", "oom", "running-train-unschedulable"])
def test_reading_a_document_restores_the_training(name: str) -> None:
    training = cluster_training(name)
    document = training_to_api(training)
    copy = training_from_api(document)
    assert training_to_api(copy) == document
    assert training_to_api(replace(copy, document=None))["status"] == document["status"]
    newest = training.newest
    assert (copy.newest.number, copy.newest.workflow, copy.newest.created) == (2, "wine-2", newest.created)
    assert (copy.newest.model_name, copy.newest.model_version, copy.newest.toolchain) == ("wine", "1.0", "mlflow")


def test_reading_a_local_document_restores_the_training(tmp_path: Path) -> None:
    training = local_training(tmp_path)
    document = training_to_api(training)
    copy = training_from_api(document)
    assert training_to_api(replace(copy, document=None)) == document
    assert (copy.status.message, copy.status.step) == (training.status.message, training.status.step)


def test_reads_the_document_of_an_original_odahu_server() -> None:
    document = {
        "id": "wine",
        "spec": {"model": {"name": "wine"}},
        "status": {"state": "running", "podName": "wine-pod"},
    }
    training = training_from_api(document)
    assert (training.status.state, training.newest.model_name, training.steps) == ("running", "wine", ())
    assert training_to_api(training) == document
    assert training_from_api({}).status.state == "unknown"
