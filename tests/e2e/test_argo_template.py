"""The WorkflowTemplate `odahu` on a real Argo controller: a training as a step of another workflow, through the API server.

`ODAHU_ARGO_TEST_CONTROLLER_IMAGE` is the image `odahu-argo-controller` on the nodes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.conftest import ROOT
from tests.servers.api import serving
from tests.servers.argo import ADDRESS, GROUP, ArgoSite

IMAGE = os.environ.get("ODAHU_ARGO_TEST_CONTROLLER_IMAGE", "")
TOKEN = "0123456789abcdef"

pytestmark = [
    pytest.mark.argo,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not IMAGE, reason="ODAHU_ARGO_TEST_CONTROLLER_IMAGE is not set"),
]


@pytest.fixture(scope="module")
def server_url(site: ArgoSite) -> Iterator[str]:
    """The URL of an API server for the namespace, in which the WorkflowTemplate and its Secret are installed."""
    text = (ROOT / "templates" / "odahu-templates.yaml").read_text(encoding="utf-8")
    template = yaml.safe_load(text.replace("odahu-argo-controller:{{inputs.parameters.docker_tag}}", IMAGE))
    client.CustomObjectsApi(site.api).create_namespaced_custom_object(
        *GROUP, site.namespace, "workflowtemplates", template
    )
    secret = {"metadata": {"name": "odahu-credentials"}, "stringData": {"token": TOKEN}}
    client.CoreV1Api(site.api).create_namespaced_secret(site.namespace, secret)
    token = site.folder / "token"
    token.write_text(TOKEN)
    with serving("--namespace", site.namespace, "--host", ADDRESS, "--token-file", token) as url:
        yield url


def run_template(site: ArgoSite, template: str, manifest: Mapping[str, Any], **parameters: str) -> dict[str, Any]:
    """Run a workflow with one step of the WorkflowTemplate, and return the step's node."""
    name = f"pipeline-{uuid.uuid4().hex[:6]}"
    values = [{"name": key, "value": value} for key, value in parameters.items()]
    artifact = {"name": f"{template}Manifest", "raw": {"data": yaml.safe_dump({**manifest, "id": "{{workflow.name}}"})}}
    step = {
        "name": "run",
        "templateRef": {"name": "odahu", "template": template},
        "arguments": {"parameters": values, "artifacts": [artifact]},
    }
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "steps",
            "serviceAccountName": "odahu-argo-training",
            "templates": [{"name": "steps", "steps": [[step]]}],
        },
    }
    client.CustomObjectsApi(site.api).create_namespaced_custom_object(*GROUP, site.namespace, "workflows", workflow)
    site.until(lambda: "finishedAt" in _status(site, name) and _status(site, name)["finishedAt"] is not None)
    [node] = [node for node in _status(site, name)["nodes"].values() if node["displayName"] == "run"]
    return node


def _status(site: ArgoSite, name: str) -> dict[str, Any]:
    return (site.workflow(name) or {}).get("status", {})


def manifest_of(site: ArgoSite, **spec: Any) -> dict[str, Any]:
    return yaml.safe_load(site.manifest("template", **spec).read_text().split("---")[0])


def test_step_submits_training_and_waits_for_its_end(site: ArgoSite, server_url: str) -> None:
    manifest = manifest_of(site, hyperParameters={"text": "from a pipeline"})
    node = run_template(site, "training", manifest, odahuURL=server_url)
    assert node["phase"] == "Succeeded", node
    [training_id] = [output["value"] for output in node["outputs"]["parameters"]]
    status = site.status(training_id)
    assert status["state"] == "succeeded"
    assert "odahuflow.project.yaml" in site.artifact(status["artifacts"][0]["artifactName"])
    assert "text: 'from a pipeline'" in site.run("train", "logs", "--id", training_id, "--step", "train").out


def test_failed_training_is_reason_of_failed_step(site: ArgoSite, server_url: str) -> None:
    node = run_template(site, "training", manifest_of(site, entrypoint="fail"), odahuURL=server_url)
    assert node["phase"] == "Failed"
    assert "failed in train (exit code 2): the training program exited with status 7" in node["message"]


def test_rejected_training_is_reason_of_failed_step(site: ArgoSite, server_url: str) -> None:
    node = run_template(site, "training", manifest_of(site, toolchain="mlfow"), odahuURL=server_url)
    assert node["phase"] == "Failed"
    assert "toolchain 'mlfow'" in node["message"]


def test_packaging_is_refused(site: ArgoSite, server_url: str) -> None:
    manifest = {"kind": "ModelPackaging", "spec": {"artifactName": "wine.zip", "integrationName": "docker-rest"}}
    node = run_template(site, "packaging", manifest, odahuURL=server_url, fromTrainingID="wine")
    assert node["phase"] == "Failed"
    assert "odahu-argo runs trainings only; it cannot package models" in node["message"]
