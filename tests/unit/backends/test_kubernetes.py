from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.backends.operations import live_details, submit_training, training_details
from odahu_argo.errors import AlreadyExists, NotFound, UserError
from odahu_argo.kube.cluster import POD, WORKFLOW
from odahu_argo.manifest.load import Manifests, load, with_warnings_as_problems
from odahu_argo.preflight import checks
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile
from odahu_argo.tracking import MlflowRun, NoRun
from odahu_argo.trainings.events import Changed, LogLine, LogNote
from odahu_argo.trainings.selection import PageRequest, TrainingFilter
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import training, write

PROFILE = Profile.model_validate(
    {"argo": {"url": "https://argo.example.org"}, "tracking": {"url": "https://mlflow.example.org/"}}
)
RUN = MlflowRun("r1", "7", "FINISHED", (), ())


@pytest.fixture
def cluster() -> InMemoryCluster:
    return InMemoryCluster("ml")


@pytest.fixture
def backend(cluster: InMemoryCluster) -> KubernetesBackend:
    return KubernetesBackend(cluster, PROFILE)


@pytest.fixture
def manifests(tmp_path: Path) -> Manifests:
    return load([write(tmp_path, training())])


def test_submission_creates_once_and_edits(backend: KubernetesBackend, manifests: Manifests) -> None:
    submission = backend.trainings.prepare(manifests)
    assert submission.ids == ("wine",)
    assert "would be submitted as workflow wine-1" in submission.dry_run("wine")
    created = submission.create("wine")
    assert (created.is_new, created.message) == (True, "training wine submitted as workflow wine-1 in namespace ml")
    assert created.url == "https://argo.example.org/workflows/ml/wine-1"
    again = submission.create("wine")
    assert (again.is_new, again.message) == (
        False,
        "training wine is already running as workflow wine-1 in namespace ml",
    )
    assert "workflow wine-2" in submission.edit("wine").message
    assert [attempt.number for attempt in backend.trainings.history("wine").attempts] == [1, 2]


def test_strict_manifests_reach_the_step(
    cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests
) -> None:
    backend.trainings.prepare(with_warnings_as_problems(manifests)).create("wine")
    [workflow] = cluster.list(WORKFLOW).items
    assert "strict_environment" in yaml.safe_dump(dict(workflow))


def test_create_rejects_ended_training(
    cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests
) -> None:
    submission = backend.trainings.prepare(manifests)
    submission.create("wine")
    play(cluster, "wine-1", "succeeded")
    for action in (submission.create, submission.dry_run):
        with pytest.raises(AlreadyExists, match="training 'wine' already exists: attempt 1, succeeded"):
            action("wine")


def test_failed_check_prevents_submission(
    cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [CheckResult("error", "connection code", "there is no Secret"), CheckResult("warning", "argo", "old")]
    monkeypatch.setattr(checks, "check", lambda *_: results)
    with pytest.raises(UserError, match="connection code: there is no Secret"):
        submit_training(backend.trainings, manifests, is_new=True)
    assert cluster.list(WORKFLOW).items == ()


def test_reads_write_nothing(cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests) -> None:
    backend.trainings.prepare(manifests).create("wine")
    play(cluster, "wine-1", "train-failed")
    cluster.requests.clear()
    trainings = backend.trainings
    found = trainings.get("wine")
    assert (trainings.ids(), trainings.list(), trainings.history("wine")) == (["wine"], [found], found)
    page = trainings.page(TrainingFilter(states=("failed",)), PageRequest(1, 10))
    assert (page.trainings, page.total, page.counts) == ([found], 1, {"failed": 1})
    list(trainings.logs("wine"))
    trainings.workflow_yaml(found)
    assert isinstance(next(trainings.watch()), Changed)
    list(trainings.follow("wine"))
    training_details(backend, "wine")
    live_details(backend, "wine")
    backend.connections.list()
    backend.toolchains.list()
    assert cluster.writes == []


def test_workflow_yaml_has_only_submitted_fields(
    cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests
) -> None:
    backend.trainings.prepare(manifests).create("wine")
    play(cluster, "wine-1", "running-train")
    workflow = yaml.safe_load(backend.trainings.workflow_yaml(backend.trainings.get("wine")))
    assert set(workflow) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(workflow["metadata"]) <= {"name", "namespace", "labels", "annotations"}


def test_details_of_deleted_workflow(
    cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests
) -> None:
    submission = backend.trainings.prepare(manifests)
    submission.create("wine")
    submission.edit("wine")
    cluster.delete(WORKFLOW, "wine-2")
    cluster.delete(WORKFLOW, "wine-1")
    details = training_details(backend, "wine")
    assert (details.workflow, details.workflow_note) == ("", "workflow wine-1 was deleted from the cluster")
    assert details.facts["Workflow"] == "wine-1 (deleted)"
    assert details.links == ()
    with pytest.raises(NotFound):
        training_details(backend, "cider")


def test_logs_of_pods(cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests) -> None:
    backend.trainings.prepare(manifests).create("wine")
    assert list(backend.trainings.logs("wine")) == [LogNote("training wine is scheduling; no step has started")]
    play(cluster, "wine-1", "train-failed")
    run = next(step for step in backend.trainings.get("wine").steps if step.name == "train").runs[0]
    metadata = {
        "name": run.pod,
        "labels": {"workflows.argoproj.io/workflow": "wine-1"},
        "annotations": {"workflows.argoproj.io/node-id": run.node_id},
    }
    cluster.create(POD, {"metadata": metadata})
    cluster.logs[run.pod, "main"] = ["epoch 1", 'time="2026-01-01T00:00:00Z" level=info msg="x" argo=true', "epoch 2"]
    lines = list(backend.trainings.logs("wine", step="train"))
    assert lines == [LogLine("train", "epoch 1"), LogLine("train", "epoch 2")]
    with pytest.raises(UserError, match="training 'wine' has no step 'trian'"):
        list(backend.trainings.logs("wine", step="trian"))


def test_links_and_mlflow_run(cluster: InMemoryCluster, backend: KubernetesBackend, manifests: Manifests) -> None:
    backend.trainings.prepare(manifests).create("wine")
    found = backend.trainings.get("wine")
    links = backend.trainings.links(found, RUN)
    assert [(link.name, link.url) for link in links] == [
        ("Argo", "https://argo.example.org/workflows/ml/wine-1"),
        ("MLflow", "https://mlflow.example.org/#/experiments/7/runs/r1"),
    ]
    run = backend.trainings.mlflow_run(found)
    assert run == NoRun("no MLflow server with an http URL is configured", "set tracking.uri in the profile")


def test_never_contacts_the_mlflow_server_of_a_training(
    cluster: InMemoryCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    backend = KubernetesBackend(cluster, PROFILE)
    own = training(envs=[{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.example.org"}])
    backend.trainings.prepare(load([write(tmp_path, own)])).create("wine")
    run = backend.trainings.mlflow_run(backend.trainings.get("wine"))
    assert isinstance(run, NoRun)
    assert "uses its own MLflow server" in run.reason


def test_connections(backend: KubernetesBackend, manifests: Manifests) -> None:
    connection = next(entry.manifest for entry in manifests.connections if entry.manifest.id == "wine-data")
    store = backend.connections
    store.create(connection)
    with pytest.raises(AlreadyExists):
        store.create(connection)
    assert [document["id"] for document in store.list()] == ["wine-data"]
    assert store.get("wine-data")["spec"] == {"type": "s3", "uri": "s3://wine/data/"}
    assert store.apply(connection) == "unchanged"
    store.check_edit("wine-data")
    assert list(store.delete("wine-data")) == []
    with pytest.raises(NotFound):
        store.check_delete("wine-data")
