"""Training images without odahu-argo on a real Argo controller: other versions of Python and MLflow, and ODAHU's programs.

`ODAHU_ARGO_TEST_TRAINING_IMAGES` lists images with Python and MLflow, `ODAHU_ARGO_TEST_HELPER_IMAGE` is an image with ODAHU's
`training-data-helper` at /usr/local/bin, or a program that does the same.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest
import yaml

from tests.servers.argo import ArgoSite

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]

IMAGES = os.environ.get("ODAHU_ARGO_TEST_TRAINING_IMAGES", "").split()
HELPER_IMAGE = os.environ.get("ODAHU_ARGO_TEST_HELPER_IMAGE", "")


@pytest.mark.skipif(not IMAGES, reason="ODAHU_ARGO_TEST_TRAINING_IMAGES is not set")
@pytest.mark.parametrize("image", IMAGES)
def test_image_needs_only_python_and_mlflow(site: ArgoSite, image: str) -> None:
    training_id = f"image-{uuid.uuid4().hex[:6]}"
    manifest = site.manifest(training_id, image=image, entrypoint="first_call.py")
    result = site.run("train", "create", "-f", manifest)
    assert result.code == 0, result.err
    [artifact] = site.status(training_id)["artifacts"]
    files = site.artifact(artifact["artifactName"])
    assert yaml.safe_load(files["odahuflow.project.yaml"])["output"]["run_id"] == artifact["runId"]
    assert "odahuflow_model/MLmodel" in files
    [pod] = [pod for pod in site.pods(f"{training_id}-1") if pod.metadata.labels["odahu.org/step"] == "train"]
    assert [container.name for container in pod.spec.init_containers][-1] == "prepare"


def test_image_without_mlflow_is_user_error(site: ArgoSite) -> None:
    training_id = f"image-{uuid.uuid4().hex[:6]}"
    result = site.run("train", "create", "-f", site.manifest(training_id, image=site.settings()["runner_image"]))
    assert result.code == 4, result.err
    status = site.status(training_id)
    assert (status["state"], status["exitCode"]) == ("failed", 2)
    assert "MLflow is not installed for" in status["message"]


def test_invalid_project_is_reported_by_init_container(site: ArgoSite) -> None:
    training_id = f"image-{uuid.uuid4().hex[:6]}"
    result = site.run("train", "create", "-f", site.manifest(training_id, entrypoint="mian"))
    assert result.code == 4, result.err
    assert "no entry point 'mian'" in site.status(training_id)["message"]
    assert "did you mean 'main'" in result.err
    logs = site.run("train", "logs", "--id", training_id, "--step", "train")
    assert "no entry point 'mian'" in logs.out


@pytest.mark.skipif(not HELPER_IMAGE, reason="ODAHU_ARGO_TEST_HELPER_IMAGE is not set")
def test_program_of_odahu(site: ArgoSite) -> None:
    training_id = f"helper-{uuid.uuid4().hex[:6]}"
    parameters = {
        "input-file-location": "helper/odahuflow.project.yaml",
        "target-file-location": "odahuflow.project.yaml",
        "input-model-location": "helper/odahuflow_model",
        "target-model-location": "odahuflow_model",
    }
    file = site.manifest(training_id, toolchain="training-data-helper", hyperParameters=parameters)
    toolchain: dict[str, Any] = {
        "kind": "ToolchainIntegration",
        "id": "training-data-helper",
        "spec": {"defaultImage": HELPER_IMAGE, "entrypoint": "/usr/local/bin/training-data-helper"},
    }
    file.write_text(file.read_text() + "---\n" + yaml.safe_dump(toolchain))
    result = site.run("train", "create", "-f", file)
    assert result.code == 0, result.err
    [artifact] = site.status(training_id)["artifacts"]
    assert artifact["runId"] == "training_data_test"
    assert "odahuflow_model/model.txt" in site.artifact(artifact["artifactName"])
