"""Retries of failed trainings with the current profile, changed manifests and other resources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.compile.workflow_template import template_run, workflow_template
from odahu_argo.errors import UserError
from odahu_argo.kube.cluster import PERSISTENT_VOLUME_CLAIM, WORKFLOW
from odahu_argo.manifest.load import load
from odahu_argo.profile import Profile
from odahu_argo.trainings.retry import TrainingResources
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.controller import play
from tests.manifests import plan, training, write

Object = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A namespace in which trainings fail."""

    cluster: InMemoryCluster
    folder: Path

    def backend(self, **profile: Any) -> KubernetesBackend:
        return KubernetesBackend(self.cluster, Profile.model_validate(profile))

    def fail(self, *documents: Object, recording: str = "train-failed", **spec: Any) -> None:
        """Submit a training whose checkout and download succeed and whose step train fails."""
        manifests = load([write(self.folder, training(**spec), *documents)])
        self.backend().trainings.prepare(manifests).create("wine")
        play(self.cluster, "wine-1", recording)
        self.cluster.create(PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": "wine-1-workspace"}})

    def retry(self, profile: dict[str, Any], limits: TrainingResources | None = None, **spec: Any) -> list[str]:
        """Retry the training, with changed manifests if `spec` is given. Return the lines of the message."""
        backend = self.backend(**profile)
        submission = backend.trainings.prepare(load([write(self.folder, training(**spec))])) if spec else None
        return backend.trainings.retry("wine", submission, limits).message.splitlines()

    def steps(self, workflow: str = "wine-2") -> list[str]:
        return [task["name"] for task in self.spec(workflow)["templates"][0]["dag"]["tasks"]]

    def train(self, workflow: str = "wine-2") -> Object:
        [template] = [item for item in self.spec(workflow)["templates"] if item["name"] == "train"]
        container: Object = template["container"]
        return container

    def spec(self, workflow: str = "wine-2") -> Object:
        found: Object = self.cluster.get(WORKFLOW, workflow)["spec"]
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(InMemoryCluster("ml"), tmp_path)


def test_retry_uses_current_profile(site: Site) -> None:
    site.fail()
    profile = {
        "archive_logs": False,
        "training_image": "train:2",
        "training_resources": {"limits": {"memory": "16Gi"}},
        "step_resources": {"limits": {"cpu": "500m"}},
    }
    first, *changes = site.retry(profile)
    assert first == "training wine submitted as workflow wine-2 in namespace ml"
    assert site.steps() == ["train", "package"]
    assert site.train()["image"] == "train:2"
    assert site.train()["resources"]["limits"]["memory"] == "16Gi"
    assert sorted(changes) == [
        "changed: archiveLogs true -> false",
        "changed: cpu limit 1 -> 500m (package)",
        "changed: cpu limit of prepare 1 -> 500m (train)",
        "changed: image odahu-argo-training:0.1.0 -> train:2 (train)",
        "changed: memory limit 4Gi -> 16Gi (train)",
        "not repeated: checkout, download-wine-data",
    ]


def test_retry_keeps_what_the_training_specifies(site: Site) -> None:
    site.fail(image="own:1", resources={"limits": {"memory": "3Gi"}})
    site.retry({"training_image": "train:2", "training_resources": {"limits": {"memory": "16Gi"}}})
    assert site.train()["image"] == "own:1"
    assert site.train()["resources"]["limits"]["memory"] == "3Gi"


def test_unchanged_retry_reports_no_changes(site: Site) -> None:
    site.fail()
    assert site.retry({})[1:] == ["not repeated: checkout, download-wine-data"]
    assert site.spec()["volumes"][0]["persistentVolumeClaim"]["claimName"] == "wine-1-workspace"


def test_second_retry_repeats_no_step_of_the_first_attempt(site: Site) -> None:
    site.fail()
    site.retry({})
    play(site.cluster, "wine-2", "train-failed")
    assert site.retry({})[0] == "training wine submitted as workflow wine-3 in namespace ml"
    assert site.steps("wine-3") == ["train", "package"]
    assert site.spec("wine-3")["volumes"][0]["persistentVolumeClaim"]["claimName"] == "wine-1-workspace"


def test_retry_with_more_memory(site: Site) -> None:
    site.fail(recording="oom", resources={"limits": {"memory": "4Gi"}, "requests": {"memory": "4Gi"}})
    lines = site.retry({}, TrainingResources(memory="8Gi", cpu="4"))
    assert "changed: memory limit 4Gi -> 8Gi (train)" in lines
    assert site.train()["resources"] == {
        "limits": {"cpu": "4", "memory": "8Gi"},
        "requests": {"cpu": "1", "memory": "8Gi"},
    }
    assert site.backend().trainings.get("wine").newest.spec["resources"]["limits"]["memory"] == "8Gi"
    play(site.cluster, "wine-2", "oom")
    site.retry({})
    assert site.train("wine-3")["resources"]["limits"]["memory"] == "8Gi"


def test_hint_after_out_of_memory_names_the_option(site: Site) -> None:
    site.fail(recording="oom", resources={"limits": {"memory": "1.5Gi"}})
    assert "odahu-argo train retry --id wine --memory 3Gi" in site.backend().trainings.get("wine").status.hint


def test_changed_resources_repeat_no_finished_step(site: Site) -> None:
    site.fail(resources={"limits": {"memory": "3Gi"}})
    lines = site.retry({}, resources={"limits": {"memory": "5Gi"}})
    assert site.steps() == ["train", "package"]
    assert lines[1:] == ["not repeated: checkout, download-wine-data", "changed: memory limit 3Gi -> 5Gi (train)"]


def test_changed_hyperparameter_repeats_training_only(site: Site) -> None:
    site.fail(hyperParameters={"alpha": "1"})
    assert "changed: alpha 1 -> 2" in site.retry({}, hyperParameters={"alpha": "2"})
    assert site.steps() == ["train", "package"]


def test_changed_reference_repeats_everything(site: Site) -> None:
    site.fail(reference="main")
    site.retry({}, reference="develop")
    assert site.steps() == ["checkout", "download-wine-data", "train", "package"]


def test_changed_download_is_not_mixed_with_the_files_of_the_earlier_attempt(site: Site) -> None:
    site.fail(reference="main")
    changed = [{"connName": "wine-data", "localPath": "data/", "remotePath": "other/"}]
    with pytest.raises(UserError, match="download-wine-data has downloaded files") as error:
        site.retry({}, reference="main", data=changed)
    assert "train edit -f FILE" in str(error.value)
    site.retry({}, reference="develop", data=changed)
    assert site.steps() == ["checkout", "download-wine-data", "train", "package"]


def test_toolchain_of_the_manifests_is_known_to_the_retry(site: Site) -> None:
    own = {
        "kind": "ToolchainIntegration",
        "id": "own",
        "spec": {"entrypoint": "/bin/own", "defaultImage": "own:1", "additionalEnvironments": {"MODE": "fast"}},
    }
    site.fail(own, toolchain="own")
    site.retry({"archive_logs": False})
    assert site.train()["image"] == "own:1"
    first, second = ([t for t in site.spec(name)["templates"] if t["name"] == "train"] for name in ("wine-1", "wine-2"))
    assert first == second


def test_step_that_finished_before_the_stop_is_not_repeated(site: Site) -> None:
    """The pod of train had succeeded when the training was stopped, but Argo marked the step as failed."""
    site.fail()
    status = site.cluster.get(WORKFLOW, "wine-1")["status"]
    for node in status["nodes"].values():
        if node["displayName"] == "train":
            pod = {**node, "id": "pod", "name": f"{node['name']}(0)", "displayName": "train(0)", "phase": "Succeeded"}
            pod["outputs"] = {"exitCode": "0", "parameters": [{"name": "run-id", "value": "7" * 32}]}
            node |= {"type": "Retry", "message": "Stopped with strategy 'Stop'", "outputs": {}}
    status["nodes"]["pod"] = pod
    site.cluster.patch(WORKFLOW, "wine-1", {"status": status})
    with pytest.raises(UserError, match="the step train has finished"):
        site.retry({}, TrainingResources(memory="8Gi"))
    assert site.retry({})[1] == "not repeated: checkout, download-wine-data, train"
    assert site.steps() == ["package"]


@pytest.mark.parametrize(("run_id", "steps"), [("7" * 32, ["package"]), ("", ["train", "package"])])
def test_step_whose_log_could_not_be_archived_is_not_repeated(site: Site, run_id: str, steps: list[str]) -> None:
    """If Argo did not record the run ID, the step runs again and reports it: it has finished and ends at once."""
    site.fail()
    status = site.cluster.get(WORKFLOW, "wine-1")["status"]
    for node in status["nodes"].values():
        if node["displayName"] == "train":
            message = "wait: Error (exit code 64): failed to put file"
            outputs = {"exitCode": "0", "parameters": [{"name": "run-id", "value": run_id}]}
            node |= {"phase": "Error", "message": message, "outputs": outputs}
    site.cluster.patch(WORKFLOW, "wine-1", {"status": status})
    site.retry({})
    assert site.steps() == steps


def test_retries_run_of_rendered_template(site: Site, tmp_path: Path) -> None:
    """Argo copies the template's metadata to the Workflow, and its specification to the status."""
    planned = plan(tmp_path)
    template = workflow_template(planned)["spec"]
    run = template_run(planned)
    run["metadata"] |= template["workflowMetadata"]
    site.cluster.create(WORKFLOW, run)
    name = run["metadata"]["name"]
    play(site.cluster, name, "train-failed")
    site.cluster.patch(WORKFLOW, name, {"status": {"storedWorkflowTemplateSpec": {**template, **run["spec"]}}})
    site.cluster.create(PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": f"{name}-workspace"}})
    assert site.retry({"archive_logs": False})[1:] == [
        "not repeated: checkout, download-wine-data",
        "changed: archiveLogs true -> false",
    ]
    assert site.spec()["volumes"][0]["persistentVolumeClaim"]["claimName"] == f"{name}-workspace"


def test_running_training_cannot_be_retried(site: Site) -> None:
    site.fail(recording="running-train")
    with pytest.raises(UserError, match="has not failed: its state is running"):
        site.retry({})


def test_workflow_of_others_cannot_be_retried_without_manifests(site: Site) -> None:
    site.fail()
    workflow = site.cluster.get(WORKFLOW, "wine-1")
    site.cluster.patch(
        WORKFLOW, "wine-1", {"metadata": {"annotations": dict.fromkeys(workflow["metadata"]["annotations"])}}
    )
    with pytest.raises(UserError, match="was not compiled by odahu-argo"):
        site.retry({})
