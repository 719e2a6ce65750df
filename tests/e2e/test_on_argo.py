"""Trainings really run by Argo: pods, volumes and GPUs of a real cluster, git and S3 servers of this machine.

They need `KUBECONFIG`, a controller at work, the runner image on the nodes (`ODAHU_ARGO_TEST_IMAGE` is its name), and pods
that reach this machine under `ODAHU_ARGO_TEST_ADDRESS` (127.0.0.1 where pods use the host's network).
"""

from __future__ import annotations

import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from tests.commands import Ran, odahu_argo
from tests.conftest import ROOT
from tests.servers.git import PASSWORD, USERNAME, git, plain_http
from tests.servers.s3 import Bucket
from tests.servers.s3 import client as s3_client

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]

GROUP = ("argoproj.io", "v1alpha1")
LONGEST = 600
"""Seconds that anything here may take."""

MLPROJECT = """\
name: small
entry_points:
  main:
    parameters: {text: {type: string, default: none}}
    command: "python train.py {text}"
  fail: {command: "python -c 'raise SystemExit(7)'"}
  long: {command: "python -c 'import time; print(\\"begun\\", flush=True); time.sleep(600)'"}
"""
TRAIN = """\
import sys
import mlflow
from mlflow.pyfunc import PythonModel, log_model


class Echo(PythonModel):
    def predict(self, context, model_input: list[str], params=None):
        return model_input


print("text:", ascii(sys.argv[1]), flush=True)
with mlflow.start_run():
    log_model(name="model", python_model=Echo(), pip_requirements=["mlflow"])
"""


@dataclass(frozen=True)
class Site:
    """A namespace with everything that a training needs."""

    api: client.ApiClient
    namespace: str
    folder: Path
    profile: Path
    bucket: Bucket
    git_url: str

    def run(self, *arguments: object) -> Ran:
        return odahu_argo(*arguments, "--profile", self.profile)

    def manifest(self, training_id: str, **spec: Any) -> Path:
        fields = {
            "model": {"name": training_id, "version": "1"},
            "toolchain": "mlflow",
            "vcsName": "small",
            "resources": {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
            **spec,
        }
        file = self.folder / f"{training_id}.yaml"
        connection = {"kind": "Connection", "id": "small", "spec": {"type": "git", "uri": f"{self.git_url}/small"}}
        training = {"kind": "ModelTraining", "id": training_id, "spec": fields}
        file.write_text(yaml.safe_dump_all([training, connection], sort_keys=False))
        return file

    def status(self, training_id: str) -> dict[str, Any]:
        ran = self.run("train", "get", "--id", training_id, "-o", "json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)[0]["status"]

    def wait(self, training_id: str, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status when it is as awaited."""
        until = time.monotonic() + LONGEST
        while not is_there(status := self.status(training_id)):
            assert time.monotonic() < until and status["state"] not in ("succeeded", "failed"), status
            time.sleep(2)
        return status

    def zip(self, name: str) -> list[str]:
        target = self.folder / name
        target.write_bytes(self.bucket.get(f"output/{name}"))
        return zipfile.ZipFile(target).namelist()

    def pods(self, workflow: str) -> list[client.V1Pod]:
        label = f"workflows.argoproj.io/workflow={workflow}"
        return client.CoreV1Api(self.api).list_namespaced_pod(self.namespace, label_selector=label).items

    def claims(self) -> list[str]:
        return [
            c.metadata.name
            for c in client.CoreV1Api(self.api).list_namespaced_persistent_volume_claim(self.namespace).items
        ]

    def wait_until_gone(self, claim: str) -> None:
        """A workspace that is given up goes when Kubernetes has seen that no pod uses it any more."""
        until = time.monotonic() + LONGEST
        while claim in self.claims():
            assert time.monotonic() < until, f"{claim} is kept"
            time.sleep(1)


@pytest.fixture(scope="module")
def argo() -> Iterator[client.ApiClient]:
    """A cluster on which a controller takes up workflows: it is given one to take up."""
    if not os.environ.get("KUBECONFIG") or not os.environ.get("ODAHU_ARGO_TEST_IMAGE"):
        pytest.skip("no Argo: KUBECONFIG or ODAHU_ARGO_TEST_IMAGE is not set")
    config.load_kube_config()
    with client.ApiClient() as api:
        objects = client.CustomObjectsApi(api)
        probe = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": f"probe-{uuid.uuid4().hex[:8]}"},
            "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]},
        }
        name = objects.create_namespaced_custom_object(*GROUP, "default", "workflows", probe)["metadata"]["name"]
        until = time.monotonic() + 20
        is_taken = False
        while not is_taken and time.monotonic() < until:
            time.sleep(1)
            found = objects.get_namespaced_custom_object(*GROUP, "default", "workflows", name)
            is_taken = "phase" in found.get("status", {})
        objects.delete_namespaced_custom_object(*GROUP, "default", "workflows", name)
        if not is_taken:
            pytest.skip("no Argo controller took up a workflow within 20 s")
        yield api


@pytest.fixture(scope="module")
def site(argo: client.ApiClient, s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("argo")
    namespace = f"argo-{uuid.uuid4().hex[:8]}"
    bucket = _bucket(s3_endpoint)
    repository = folder / "git" / "small"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    (repository / "MLproject").write_text(MLPROJECT)
    (repository / "train.py").write_text(TRAIN)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "a small project")
    git(folder / "git", "clone", "--quiet", "--bare", str(ROOT), str(folder / "git" / "odahu-argo"))
    settings = {
        "namespace": namespace,
        "runner_image": os.environ["ODAHU_ARGO_TEST_IMAGE"],
        "archive_logs": False,
        "step_resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "pools": {"gpu": {"node_selector": {"mode.odahu.gpu-training": "true"}}},
        "retries": {"first_wait": "1s"},
        "external_connections": ["odahu-argo", "wine-data", "lost-output"],
    }
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(settings))
    applied = odahu_argo("setup", "--apply", "--profile", profile)
    assert applied.code == 0, applied.err
    if "ODAHU_ARGO_TEST_ADDRESS" not in os.environ:
        change = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
        client.AppsV1Api(argo).patch_namespaced_deployment("odahu-argo-recorder", namespace, change)
    with plain_http(folder / "git", os.environ.get("ODAHU_ARGO_TEST_ADDRESS", "127.0.0.1")) as url:
        site = Site(argo, namespace, folder, profile, bucket, url)
        _apply_connections(site)
        yield site
    client.CoreV1Api(argo).delete_namespace(namespace)


def _bucket(endpoint: str) -> Bucket:
    from sklearn.datasets import load_wine

    bucket = Bucket(endpoint, f"argo-{uuid.uuid4().hex[:8]}")
    place = {"LocationConstraint": "eu-central-1"}
    s3_client("s3", endpoint).create_bucket(Bucket=bucket.name, CreateBucketConfiguration=place)
    wines = load_wine(as_frame=True).frame.rename(columns={"target": "quality"})
    bucket.put_all({"data/wine-quality.csv": wines.to_csv(index=False).encode()})
    return bucket


def _apply_connections(site: Site) -> None:
    own = {"type": "git", "username": USERNAME, "password": PASSWORD}
    connections = {
        "small": {**own, "uri": f"{site.git_url}/small", "reference": "main"},
        "odahu-argo": {**own, "uri": f"{site.git_url}/odahu-argo"},
        "wine-data": site.bucket.fields("data/wine-quality.csv"),
        "models-output": site.bucket.fields("output"),
        "lost-output": site.bucket.elsewhere(),
    }
    file = site.folder / "connections.yaml"
    plain = [{"kind": "Connection", "id": k, "spec": {**v, "secretEncoding": "plain"}} for k, v in connections.items()]
    file.write_text(yaml.safe_dump_all(plain))
    applied = site.run("conn", "apply", "-f", file)
    assert applied.code == 0, applied.err


def test_the_wine_example_is_trained_and_its_zip_is_the_one_that_the_status_names(site: Site) -> None:
    ran = site.run("train", "create", "-f", ROOT / "examples" / "01-wine-quality" / "training.yaml")
    assert ran.code == 0, ran.err
    status = site.status("wine")
    [artifact] = status["artifacts"]
    assert artifact["commitID"] == git(ROOT, "rev-parse", "HEAD")
    assert "odahuflow.project.yaml" in site.zip(artifact["artifactName"])
    logs = site.run("train", "logs", "--id", "wine", "--step", "train")
    assert artifact["runId"] in logs.out and "argo=true" not in logs.out
    assert [step["state"] for step in status["argo"]["steps"]] == ["succeeded"] * 4
    site.wait_until_gone("wine-1-workspace")


def test_a_training_on_a_gpu_runs_on_a_node_with_one(site: Site) -> None:
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 1}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    ran = site.run("train", "create", "-f", site.manifest("on-gpu", resources=resources))
    assert ran.code == 0, ran.err
    [trained] = [pod for pod in site.pods("on-gpu-1") if pod.metadata.labels["odahu.org/step"] == "train"]
    node = client.CoreV1Api(site.api).read_node(trained.spec.node_name)
    assert node.metadata.labels["mode.odahu.gpu-training"] == "true"
    [main] = [container for container in trained.spec.containers if container.name == "main"]
    assert main.resources.limits["nvidia.com/gpu"] == "1"


def test_a_training_that_no_node_can_hold_is_scheduling_and_says_why(site: Site) -> None:
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 64}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    ran = site.run("train", "create", "-f", site.manifest("too-large", resources=resources), "--no-wait")
    assert ran.code == 0, ran.err
    assert "GPU" in ran.err
    status = site.wait("too-large", lambda found: found["reason"] == "Unschedulable")
    assert status["state"] == "scheduling" and "nvidia.com/gpu" in status["message"]
    assert status["artifacts"][0]["commitID"]
    assert site.run("train", "delete", "--id", "too-large").code == 0


def test_a_training_that_fails_says_in_which_step_and_with_which_code(site: Site) -> None:
    ran = site.run("train", "create", "-f", site.manifest("failing", entrypoint="fail"))
    assert ran.code == 4
    status = site.status("failing")
    assert (status["state"], status["exitCode"], status["argo"]["step"]) == ("failed", 2, "train")
    assert "exit status 7" in status["message"]
    tries = [len(step["attempts"]) for step in status["argo"]["steps"] if step["name"] == "train"]
    assert tries == [1], "a mistake is not tried again"
    assert "failing-1-workspace" in site.claims()


def test_retry_runs_only_what_has_not_succeeded(site: Site) -> None:
    """Packaging fails for want of the bucket; when the bucket is there, the trained model is not trained again."""
    ran = site.run("train", "create", "-f", site.manifest("lost", outputConnection="lost-output"))
    assert ran.code == 4 and "not-there" in ran.err
    before = site.status("lost")
    place = {"LocationConstraint": "eu-central-1"}
    s3_client("s3", site.bucket.endpoint).create_bucket(Bucket="not-there", CreateBucketConfiguration=place)
    retried = site.run("train", "retry", "--id", "lost")
    assert retried.code == 0, retried.err
    status = site.status("lost")
    assert {pod.metadata.labels["odahu.org/step"] for pod in site.pods("lost-2")} == {"package"}
    [artifact] = status["artifacts"]
    assert artifact["runId"] == before["artifacts"][0]["runId"]
    assert artifact["commitID"] == before["artifacts"][0]["commitID"]
    stored = Bucket(site.bucket.endpoint, "not-there").keys()
    assert artifact["artifactName"] in stored
    site.wait_until_gone("lost-1-workspace")


def test_the_recorder_remembers_a_run_that_nobody_watched_when_its_workflow_is_gone(site: Site) -> None:
    assert site.run("train", "create", "-f", site.manifest("unseen", entrypoint="fail"), "--no-wait").code == 0
    objects = client.CustomObjectsApi(site.api)
    until = time.monotonic() + LONGEST
    while True:
        found = objects.get_namespaced_custom_object(*GROUP, site.namespace, "workflows", "unseen-1")
        if found.get("status", {}).get("phase") == "Failed":
            break
        assert time.monotonic() < until
        time.sleep(1)
    objects.delete_namespaced_custom_object(*GROUP, site.namespace, "workflows", "unseen-1")
    status = site.status("unseen")
    assert (status["state"], status["exitCode"], status["argo"]["gone"]) == ("failed", 2, True)


def test_a_training_can_be_stopped(site: Site) -> None:
    assert site.run("train", "create", "-f", site.manifest("long", entrypoint="long"), "--no-wait").code == 0
    site.wait("long", lambda found: found["state"] == "running" and found["argo"]["steps"][-2]["state"] == "running")
    assert site.run("train", "stop", "--id", "long").code == 0
    until = time.monotonic() + LONGEST
    while (status := site.status("long"))["state"] == "running" and time.monotonic() < until:
        time.sleep(1)
    assert status["state"] == "failed" and "stopped" in status["message"]


@pytest.mark.parametrize(
    "text", ["{{workflow.name}} {{=1+1}} $(HOME) `id` ;", "{{inputs.parameters.x}}\n{{ 'quoted\" $$(PATH)"]
)
def test_no_text_of_a_manifest_is_evaluated(site: Site, text: str) -> None:
    training_id = f"text-{uuid.uuid4().hex[:6]}"
    ran = site.run("train", "create", "-f", site.manifest(training_id, hyperParameters={"text": text}))
    assert ran.code == 0, ran.err
    logs = site.run("train", "logs", "--id", training_id, "--step", "train")
    assert f"text: {text!a}" in logs.out.splitlines()
