"""A namespace for trainings on a real Argo controller, with local git and S3 servers.

Requires `KUBECONFIG`, a running controller, and the training image on the nodes (`ODAHU_ARGO_TEST_IMAGE`). All steps use
that image, and so does the recorder, unless `ODAHU_ARGO_TEST_RUNNER_IMAGE` and `ODAHU_ARGO_TEST_CONTROLLER_IMAGE` are set.
Pods use the host network unless `ODAHU_ARGO_TEST_ADDRESS` is the address of this machine on the pod network. In that case,
the namespace enforces the restricted Pod Security Standard, which forbids the host network.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from odahu_argo import naming
from tests.archives import read_tar
from tests.commands import CommandResult, odahu_argo
from tests.servers.argo_projects import make_repositories
from tests.servers.git import PASSWORD, USERNAME, plain_http
from tests.servers.s3 import KEY_ID, KEY_SECRET, Bucket, running_s3

GROUP = ("argoproj.io", "v1alpha1")
HERE = "127.0.0.1"
ADDRESS = os.environ.get("ODAHU_ARGO_TEST_ADDRESS", HERE)
"""Address of the servers of a test, for pods."""
TIMEOUT = 600
"""Timeout of every wait, in seconds."""


@dataclass(frozen=True)
class ArgoSite:
    """A namespace with the connections and profile of a training."""

    api: client.ApiClient
    namespace: str
    folder: Path
    profile: Path
    bucket: Bucket
    git_url: str

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the profile's settings."""
        return {
            "namespace": self.namespace,
            "runner_image": os.environ.get("ODAHU_ARGO_TEST_RUNNER_IMAGE", os.environ["ODAHU_ARGO_TEST_IMAGE"]),
            "training_image": os.environ["ODAHU_ARGO_TEST_IMAGE"],
            "controller_image": os.environ.get("ODAHU_ARGO_TEST_CONTROLLER_IMAGE", os.environ["ODAHU_ARGO_TEST_IMAGE"]),
            "argo": {"log_connection": "log-archive"},
            "step_resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
            "pools": {"gpu": {"node_selector": {"mode.odahu.gpu-training": "true"}}},
            "retries": {"first_wait": "1s"},
            "external_connections": ["odahu-argo", "wine-data", "lost-output"],
            **more,
        }

    def run(self, *arguments: object, profile: Path | None = None) -> CommandResult:
        return odahu_argo(*arguments, "--profile", profile or self.profile)

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
        result = self.run("train", "get", "--id", training_id, "-o", "json")
        assert result.code == 0, result.err
        return json.loads(result.out)[0]["status"]

    def wait(self, training_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the status satisfies the condition, and return it."""
        until = time.monotonic() + TIMEOUT
        while not condition(status := self.status(training_id)):
            assert time.monotonic() < until and status["state"] not in ("succeeded", "failed"), status
            time.sleep(2)
        return status

    def wait_for_end(self, training_id: str) -> dict[str, Any]:
        """Wait until the training has succeeded or failed, and return its status."""
        self.until(lambda: self.status(training_id)["state"] in ("succeeded", "failed"))
        return self.status(training_id)

    def until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < until, "timeout"
            time.sleep(1)

    def artifact(self, name: str) -> dict[str, bytes]:
        """Return the files of a trained model by name."""
        return read_tar(self.bucket.get(f"output/{name}"))

    def pods(self, workflow: str) -> list[client.V1Pod]:
        label = f"workflows.argoproj.io/workflow={workflow}"
        return client.CoreV1Api(self.api).list_namespaced_pod(self.namespace, label_selector=label).items

    def claims(self) -> list[str]:
        return [
            c.metadata.name
            for c in client.CoreV1Api(self.api).list_namespaced_persistent_volume_claim(self.namespace).items
        ]

    def wait_until_gone(self, claim: str) -> None:
        """Wait until Kubernetes has deleted the claim, which it does once no pod uses it."""
        self.until(lambda: claim not in self.claims())

    def workflow(self, name: str) -> dict[str, Any] | None:
        """Return the workflow, or None if it does not exist."""
        try:
            workflow = client.CustomObjectsApi(self.api).get_namespaced_custom_object(
                *GROUP, self.namespace, "workflows", name
            )
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return dict(workflow)

    def delete_workflow(self, name: str) -> None:
        client.CustomObjectsApi(self.api).delete_namespaced_custom_object(*GROUP, self.namespace, "workflows", name)

    def has_record(self, training_id: str) -> bool:
        records = client.CoreV1Api(self.api).list_namespaced_config_map(self.namespace).items
        return naming.record_name(training_id) in [item.metadata.name for item in records]


@pytest.fixture(scope="session")
def argo() -> Iterator[client.ApiClient]:
    """A cluster with a running controller, checked with a probe workflow."""
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
        is_processed = False
        while not is_processed and time.monotonic() < until:
            time.sleep(1)
            workflow = objects.get_namespaced_custom_object(*GROUP, "default", "workflows", name)
            is_processed = "phase" in workflow.get("status", {})
        objects.delete_namespaced_custom_object(*GROUP, "default", "workflows", name)
        if not is_processed:
            pytest.skip("no Argo controller processed the probe workflow within 20 s")
        yield api


@pytest.fixture(scope="session")
def site(argo: client.ApiClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoSite]:
    folder = tmp_path_factory.mktemp("argo")
    namespace = f"argo-{uuid.uuid4().hex[:8]}"
    make_repositories(folder / "git")
    with running_s3(ADDRESS) as endpoint, plain_http(folder / "git", ADDRESS) as git_url:
        site = ArgoSite(argo, namespace, folder, folder / "profile.yaml", _bucket(endpoint), git_url)
        site.profile.write_text(yaml.safe_dump(site.settings()))
        applied = site.run("setup", "--apply")
        assert applied.code == 0, applied.err
        _allow_this_network(site) if ADDRESS == HERE else _enforce_the_restricted_standard(site)
        _apply_connections(site)
        _archive_logs(site)
        yield site
    client.CoreV1Api(argo).delete_namespace(namespace)


def _allow_this_network(site: ArgoSite) -> None:
    change = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    client.AppsV1Api(site.api).patch_namespaced_deployment("odahu-argo-recorder", site.namespace, change)


def _enforce_the_restricted_standard(site: ArgoSite) -> None:
    change = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    client.CoreV1Api(site.api).patch_namespace(site.namespace, change)


def _archive_logs(site: ArgoSite) -> None:
    """Configure the namespace's default artifact repository.

    https://argo-workflows.readthedocs.io/en/latest/artifact-repository-ref/
    """
    keys = {"keyID": KEY_ID, "keySecret": KEY_SECRET}
    repository = {
        "archiveLogs": True,
        "s3": {
            "bucket": site.bucket.name,
            "endpoint": site.bucket.endpoint.removeprefix("http://"),
            "insecure": True,
            "region": "eu-central-1",
            "keyFormat": "logs/{{workflow.name}}/{{pod.name}}",
            "accessKeySecret": {"name": "archive", "key": "keyID"},
            "secretKeySecret": {"name": "archive", "key": "keySecret"},
        },
    }
    core = client.CoreV1Api(site.api)
    core.create_namespaced_secret(site.namespace, {"metadata": {"name": "archive"}, "stringData": keys})
    default = {"workflows.argoproj.io/default-artifact-repository": "default"}
    named = {"name": "artifact-repositories", "annotations": default}
    core.create_namespaced_config_map(site.namespace, {"metadata": named, "data": {"default": json.dumps(repository)}})


def _bucket(endpoint: str) -> Bucket:
    from sklearn.datasets import load_wine

    bucket = Bucket(endpoint, f"argo-{uuid.uuid4().hex[:8]}")
    bucket.create()
    wines = load_wine(as_frame=True).frame.rename(columns={"target": "quality"})
    bucket.put_all({"data/wine-quality.csv": wines.to_csv(index=False).encode()})
    return bucket


def _apply_connections(site: ArgoSite) -> None:
    own = {"type": "git", "username": USERNAME, "password": PASSWORD}
    connections = {
        "small": {**own, "uri": f"{site.git_url}/small", "reference": "main"},
        "odahu-argo": {**own, "uri": f"{site.git_url}/odahu-argo"},
        "wine-data": site.bucket.fields("data/wine-quality.csv"),
        "models-output": site.bucket.fields("output"),
        "lost-output": site.bucket.elsewhere(),
        "log-archive": site.bucket.fields(),
    }
    file = site.folder / "connections.yaml"
    plain = [{"kind": "Connection", "id": k, "spec": {**v, "secretEncoding": "plain"}} for k, v in connections.items()]
    file.write_text(yaml.safe_dump_all(plain))
    applied = site.run("conn", "apply", "-f", file)
    assert applied.code == 0, applied.err
