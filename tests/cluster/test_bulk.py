"""`odahu-argo bulk` on a real Kubernetes API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cluster.site import Site
from tests.commands import bash_completions
from tests.manifests import training, write

pytestmark = pytest.mark.cluster

TOOLCHAIN = {"kind": "ToolchainIntegration", "id": "wine-trainer", "spec": {"entrypoint": "mlflow"}}
NEW = {"kind": "Connection", "id": "new", "spec": {"type": "s3", "uri": "s3://new/", "keySecret": "CANARYbulk"}}
TRIES = 10
"""Completions may exceed their time limit on a busy machine."""
EVERYTHING = (
    "ModelTraining wine, ToolchainIntegration wine-trainer, Connection new, Connection code, Connection wine-data"
)


def everything(folder: Path) -> Path:
    """Write a file in which each resource precedes its dependencies."""
    return write(folder, training(toolchain="wine-trainer"), TOOLCHAIN, NEW)


def test_applies_in_dependency_order_and_deletes_in_reverse(site: Site) -> None:
    applied = site.run("bulk", "apply", everything(site.folder))
    assert applied.code == 0, applied.err
    assert applied.out == (
        "Operation completed, created resources: 3 (Connection new, ToolchainIntegration wine-trainer, ModelTraining wine), "
        "changed resources: 2 (Connection code, Connection wine-data)\n"
    )
    assert "CANARY" not in applied.err
    assert site.get()["spec"]["toolchain"] == "wine-trainer"
    for group, name in {"train": "wine", "conn": "wine-data", "ti": "wine-trainer"}.items():
        offers = (bash_completions(group, "get", "-n", site.namespace, "--id", "w") for _ in range(TRIES))
        assert ([name], "") in offers
    again = site.run("bulk", "apply", everything(site.folder), "-o", "json")
    assert {item["outcome"] for item in json.loads(again.out)} == {"unchanged"}
    site.play("wine-1", "succeeded")
    resubmitted = site.run("bulk", "apply", everything(site.folder), "-o", "changes")
    assert resubmitted.out.splitlines()[-1] == "ModelTraining wine changed"
    assert site.workflows() == ["wine-1", "wine-2"]
    deleted = site.run("bulk", "delete", everything(site.folder))
    assert (deleted.code, deleted.out) == (0, f"Operation completed, removed resources: 5 ({EVERYTHING})\n"), (
        deleted.err
    )
    nothing = site.run("bulk", "delete", everything(site.folder))
    assert (nothing.code, nothing.out) == (0, "Operation completed\n")
    assert "ModelTraining wine not found" in nothing.err


def test_invalid_resource_prevents_all_changes(site: Site) -> None:
    masked = {**NEW, "spec": {**NEW["spec"], "keySecret": "*****"}}
    for documents in ([training(toolchain="none"), NEW], [TOOLCHAIN, masked], [{**TOOLCHAIN, "id": "NO"}, NEW]):
        result = site.run("bulk", "apply", write(site.folder, *documents))
        assert (result.code, result.out) == (2, "")
    assert "'NO' is not a valid id" in result.err
    rejected = site.run("bulk", "delete", site.folder / "manifests.yaml")
    assert (rejected.code, rejected.out) == (2, "")
    assert yaml.safe_load(site.run("conn", "get", "-o", "jsonpath=[*].id").out) == [
        "code",
        "models-output",
        "wine-data",
    ]


def test_failed_submission_does_not_prevent_others(site: Site) -> None:
    lost = {**training(vcsName="lost"), "id": "lost"}
    result = site.run("bulk", "apply", write(site.folder, lost, training()))
    assert result.code == 2
    assert "created resources: 1 (ModelTraining wine)" in result.out
    assert "Secret connection-lost does not exist" in result.err
    assert site.workflows() == ["wine-1"]
