from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.backends.base import NotSupported
from odahu_argo.backends.local import LocalBackend, to_training
from odahu_argo.backends.operations import training_details
from odahu_argo.errors import AlreadyExists, NotFound, UserError
from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from odahu_argo.manifest.load import load
from odahu_argo.trainings.events import LogLine
from odahu_argo.trainings.selection import newest_first
from tests.conftest import EXAMPLES
from tests.manifests import training, write

TIMES = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")
STEPS = (StepRecord("checkout", "succeeded", 0), StepRecord("train", "failed", 2, "no labels"))
RECORD = LocalTraining(
    "wine", "wine", "1.0", "mlflow", "failed", *TIMES, "d", "file:///models", "train: no labels", 2, steps=STEPS
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_converts_a_failed_training(home: Home) -> None:
    converted = to_training(RECORD, home, {"train": ("checkout",)})
    status = converted.status
    assert (status.state, status.message, status.step, status.exit_code) == ("failed", "train: no labels", "train", 2)
    assert "--resume" in status.hint
    assert [(step.name, step.state, step.needs) for step in converted.steps] == [
        ("checkout", "succeeded", ()), ("train", "failed", ("checkout",)),
    ]  # fmt: skip
    assert converted.newest.local is not None
    assert converted.newest.local.logs == str(home.run("wine").logs)
    assert (converted.created, converted.updated) == TIMES


def test_converts_a_running_training(home: Home) -> None:
    steps = (StepRecord("a", "running"), StepRecord("b", "running"))
    running = to_training(replace(RECORD, state="running", reason="", exit_code=None, steps=steps), home)
    assert running.is_live
    assert running.status.message == "steps a and b are running"
    assert running.newest.local is not None
    assert running.newest.local.reason == ""


def test_lists_and_finds_trainings(home: Home) -> None:
    store = TrainingStore(home.store_file)
    store.save(RECORD)
    store.save(replace(RECORD, id="beer", created="2026-01-02T00:00:00.000+00:00"))
    store.save(replace(RECORD, id="cider"))
    trainings = LocalBackend(home).trainings
    assert [found.id for found in trainings.list()] == trainings.ids() == ["beer", "cider", "wine"]
    assert [found.id for found in newest_first(trainings.list())] == ["beer", "cider", "wine"]
    with pytest.raises(NotFound, match="training 'ale' does not exist on this machine"):
        trainings.get("ale")


def test_details_use_the_stored_workflow_and_log(home: Home) -> None:
    TrainingStore(home.store_file).save(RECORD)
    home.run("wine").logs.mkdir(parents=True)
    home.run("wine").log("train").write_text("train: epoch 1\n")
    golden = EXAMPLES / "02-gpu-two-connections/golden/workflow.yaml"
    home.run("wine").workflow.write_bytes(golden.read_bytes())
    backend = LocalBackend(home)
    details = training_details(backend, "wine")
    assert details.workflow == golden.read_text()
    assert details.log.lines == (LogLine("train", "epoch 1"),)
    assert next(step for step in details.training.steps if step.name == "train").needs
    assert details.facts["Logs"] == str(home.run("wine").logs)
    assert list(backend.trainings.logs("wine", step="train")) == [LogLine("train", "train: epoch 1")]


def test_prepare_reports_connections_that_are_not_available(home: Home, tmp_path: Path) -> None:
    missing = training(outputConnection="models", data=[{"connName": "elsewhere", "localPath": "data/"}])
    with pytest.raises(UserError, match="elsewhere"):
        LocalBackend(home).trainings.prepare(load([write(tmp_path, missing)]), external=["elsewhere", "models"])


def test_create_rejects_existing_training(home: Home, tmp_path: Path) -> None:
    TrainingStore(home.store_file).save(RECORD)
    submission = LocalBackend(home).trainings.prepare(load([write(tmp_path, training(outputConnection="wine-data"))]))
    for action in (submission.create, submission.dry_run):
        with pytest.raises(AlreadyExists, match="training 'wine' already exists on this machine: failed"):
            action("wine")


def test_reads_connections_and_toolchains_from_directories(home: Home, tmp_path: Path) -> None:
    write(tmp_path, {"kind": "ToolchainIntegration", "id": "own", "spec": {"entrypoint": "mlflow"}})
    backend = LocalBackend(home, [tmp_path])
    assert [document["id"] for document in backend.connections.list()] == ["code", "wine-data"]
    assert backend.connections.get("code")["spec"]["type"] == "git"
    assert "own" in [document["id"] for document in backend.toolchains.list()]
    assert backend.toolchains.get("mlflow")["createdAt"] == ""
    for store in (backend.connections, backend.toolchains):
        with pytest.raises(NotFound):
            store.get("nothing")


def test_resources_are_read_only(home: Home) -> None:
    for store in (LocalBackend(home).connections, LocalBackend(home).toolchains):
        for change in (store.create, store.apply, store.check, store.check_edit, store.check_delete, store.delete):
            with pytest.raises(NotSupported, match="not supported on this machine"):
                change("any")
