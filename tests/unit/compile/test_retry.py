from __future__ import annotations

import json
from pathlib import Path

import pytest

from odahu_argo import Profile, compile_workflow
from odahu_argo.compile.retry import changes, earlier_specs, retry_workflow, workspace_claim
from odahu_argo.errors import UserError
from tests.manifests import plan

BOTH = frozenset({"checkout", "download-wine-data"})


def test_retry_uses_workspace_of_first_attempt(tmp_path: Path) -> None:
    planned = plan(tmp_path, Profile(namespace="ml"))
    second = retry_workflow(planned, 2, "wine-1-workspace", BOTH, {"commit-id": "0" * 40})
    assert (second["metadata"]["name"], second["metadata"]["namespace"]) == ("wine-2", "ml")
    assert [t["name"] for t in second["spec"]["templates"]] == ["training", "train", "package"]
    tasks = second["spec"]["templates"][0]["dag"]["tasks"]
    assert [(task["name"], task.get("dependencies")) for task in tasks] == [("train", None), ("package", ["train"])]
    assert second["spec"]["volumes"] == [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": "wine-1-workspace"}}
    ]
    assert "volumeClaimTemplates" not in second["spec"]
    assert json.loads(second["metadata"]["annotations"]["odahu.org/results"]) == {"commit-id": "0" * 40}
    assert second["metadata"]["labels"]["odahu.org/attempt"] == "2"


def test_claim_is_that_of_the_first_attempt(tmp_path: Path) -> None:
    assert workspace_claim(compile_workflow(plan(tmp_path))) == "wine-1-workspace"
    assert workspace_claim(retry_workflow(plan(tmp_path), 2, "wine-1-workspace", BOTH, {})) == "wine-1-workspace"


def test_retry_omits_finished_gpu_step(tmp_path: Path) -> None:
    planned = plan(tmp_path, resources={"limits": {"gpu": 1}})
    second = retry_workflow(planned, 2, "wine-1-workspace", BOTH | {"train"}, {})
    assert [t["name"] for t in second["spec"]["templates"]] == ["training", "package"]


def test_rejects_retry_of_finished_workflow(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all its steps have succeeded"):
        retry_workflow(plan(tmp_path), 2, "wine-1-workspace", BOTH | {"train", "package"}, {})


@pytest.mark.parametrize("gpu", [0, 1])
def test_specs_are_read_from_workflow(tmp_path: Path, gpu: int) -> None:
    planned = plan(tmp_path, resources={"limits": {"gpu": gpu}}, hyperParameters={"text": "{{x}} $(y)"})
    assert earlier_specs(compile_workflow(planned)) == {step.name: step.spec for step in planned.steps}


def test_specs_of_code_in_object_store_are_read(tmp_path: Path) -> None:
    source = {"objectStorage": {"connection": "wine-data", "path": "code"}}
    planned = plan(tmp_path, vcsName=None, algorithmSource=source)
    assert earlier_specs(compile_workflow(planned)) == {step.name: step.spec for step in planned.steps}


def test_unchanged_retry_has_no_changes(tmp_path: Path) -> None:
    first = compile_workflow(plan(tmp_path))
    first["spec"]["shutdown"] = "Stop"
    assert changes(first, retry_workflow(plan(tmp_path), 2, "wine-1-workspace", BOTH, {})) == []
