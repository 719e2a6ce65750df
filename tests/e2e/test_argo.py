"""States and results of trainings on a real Argo controller."""

from __future__ import annotations

import uuid

import pytest
import yaml
from kubernetes import client

from tests.conftest import ROOT
from tests.servers.argo import ArgoSite
from tests.servers.git import git
from tests.servers.s3 import Bucket

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]


def test_wine_example_uploads_the_artifact_of_its_status(site: ArgoSite) -> None:
    result = site.run("train", "create", "-f", ROOT / "examples" / "01-wine-quality" / "training.yaml")
    assert result.code == 0, result.err
    status = site.status("wine")
    [artifact] = status["artifacts"]
    assert artifact["commitID"] == git(site.folder / "git" / "odahu-argo", "rev-parse", "HEAD")
    files = site.artifact(artifact["artifactName"])
    described = yaml.safe_load(files["odahuflow.project.yaml"])["model"]
    assert (described["name"], described["version"]) == ("wine", "1.0")
    [model] = [text for name, text in files.items() if name.endswith("/MLmodel")]
    assert yaml.safe_load(model)["run_id"] == artifact["runId"]
    logs = site.run("train", "logs", "--id", "wine", "--step", "train")
    assert artifact["runId"] in logs.out and "argo=true" not in logs.out
    assert [step["state"] for step in status["argo"]["steps"]] == ["succeeded"] * 4
    site.wait_until_gone("wine-1-workspace")


def test_gpu_training_runs_on_gpu_node(site: ArgoSite) -> None:
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 1}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    result = site.run("train", "create", "-f", site.manifest("on-gpu", resources=resources))
    assert result.code == 0, result.err
    [trained] = [pod for pod in site.pods("on-gpu-1") if pod.metadata.labels["odahu.org/step"] == "train"]
    node = client.CoreV1Api(site.api).read_node(trained.spec.node_name)
    assert node.metadata.labels["mode.odahu.gpu-training"] == "true"
    [main] = [container for container in trained.spec.containers if container.name == "main"]
    assert main.resources.limits["nvidia.com/gpu"] == "1"


def test_unschedulable_training_reports_reason(site: ArgoSite) -> None:
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 64}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    result = site.run("train", "create", "-f", site.manifest("too-large", resources=resources), "--no-wait")
    assert result.code == 0, result.err
    assert "GPU" in result.err
    status = site.wait("too-large", lambda found: found["reason"] == "Unschedulable")
    assert status["state"] == "scheduling" and "nvidia.com/gpu" in status["message"]
    assert status["artifacts"][0]["commitID"]
    assert site.run("train", "delete", "--id", "too-large").code == 0


def test_recorder_stops_training_that_gets_no_node(site: ArgoSite) -> None:
    pool = {**site.settings()["pools"]["gpu"], "pending_timeout": "5s"}
    profile = site.folder / "impatient-profile.yaml"
    profile.write_text(yaml.safe_dump(site.settings(pools={"gpu": pool})))
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 64}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    result = site.run("train", "create", "-f", site.manifest("impatient", resources=resources), profile=profile)
    assert result.code == 4
    status = site.status("impatient")
    assert (status["state"], status["argo"]["step"]) == ("failed", "train")
    assert "no node for step train within 5s: the step requires a node with 64 nvidia.com/gpu" in status["message"]


def test_reports_missing_secret_and_continues_after_its_creation(site: ArgoSite) -> None:
    connection = {"kind": "Connection", "id": "gone-data", "spec": site.bucket.fields("data/wine-quality.csv")}
    file = site.folder / "gone-data.yaml"
    file.write_text(yaml.safe_dump(connection))
    assert site.run("conn", "apply", "-f", file).code == 0
    manifest = site.manifest("secretless", data=[{"connName": "gone-data", "localPath": "data/"}])
    result = site.run("train", "create", "-f", manifest, "--no-wait")
    assert result.code == 0, result.err
    client.CoreV1Api(site.api).delete_namespaced_secret("connection-gone-data", site.namespace)
    status = site.wait("secretless", lambda found: found["reason"] == "FailedMount")
    assert status["state"] == "scheduling" and "the Secret of connection gone-data" in status["message"]
    assert site.run("conn", "apply", "-f", file).code == 0
    assert site.wait_for_end("secretless")["state"] == "succeeded"


def test_failed_training_reports_step_and_exit_code(site: ArgoSite) -> None:
    result = site.run("train", "create", "-f", site.manifest("failing", entrypoint="fail"))
    assert result.code == 4
    status = site.status("failing")
    assert (status["state"], status["exitCode"], status["argo"]["step"]) == ("failed", 2, "train")
    assert "exited with status 7" in status["message"]
    tries = [len(step["attempts"]) for step in status["argo"]["steps"] if step["name"] == "train"]
    assert tries == [1], "a mistake is not tried again"
    assert "failing-1-workspace" in site.claims()


def test_retry_skips_succeeded_steps(site: ArgoSite) -> None:
    """Packaging fails without the bucket. After its creation, retry does not train the model again."""
    result = site.run("train", "create", "-f", site.manifest("lost", outputConnection="lost-output"))
    assert result.code == 4 and "not-there" in result.err
    before = site.status("lost")
    missing = Bucket(site.bucket.endpoint, "not-there")
    missing.create()
    retried = site.run("train", "retry", "--id", "lost")
    assert retried.code == 0, retried.err
    status = site.status("lost")
    assert {pod.metadata.labels["odahu.org/step"] for pod in site.pods("lost-2")} == {"package"}
    [artifact] = status["artifacts"]
    assert artifact["runId"] == before["artifacts"][0]["runId"]
    assert artifact["commitID"] == before["artifacts"][0]["commitID"]
    assert artifact["artifactName"] in missing.keys()  # noqa: SIM118
    site.wait_until_gone("lost-1-workspace")


@pytest.mark.parametrize(
    "text", ["{{workflow.name}} {{=1+1}} $(HOME) `id` ;", "{{inputs.parameters.x}}\n{{ 'quoted\" $$(PATH)"]
)
def test_manifest_text_is_not_evaluated(site: ArgoSite, text: str) -> None:
    training_id = f"text-{uuid.uuid4().hex[:6]}"
    result = site.run("train", "create", "-f", site.manifest(training_id, hyperParameters={"text": text}))
    assert result.code == 0, result.err
    logs = site.run("train", "logs", "--id", training_id, "--step", "train")
    assert f"text: {text!a}" in logs.out.splitlines()
