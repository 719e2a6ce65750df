from __future__ import annotations

import json
from pathlib import Path

import pytest

from odahu_argo import Profile, compile_workflow
from odahu_argo.compile.retry import retry_workflow, workspace_claim
from odahu_argo.errors import UserError
from tests.manifests import plan

BOTH = frozenset({"checkout", "download-wine-data"})


def test_retry_uses_workspace_of_first_attempt(tmp_path: Path) -> None:
    first = compile_workflow(plan(tmp_path, Profile(namespace="ml")))
    second = retry_workflow(first, "wine", 2, BOTH, {"commit-id": "0" * 40})
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


def test_second_retry_uses_workspace_of_first_attempt(tmp_path: Path) -> None:
    second = retry_workflow(compile_workflow(plan(tmp_path)), "wine", 2, BOTH, {})
    third = retry_workflow(second, "wine", 3, frozenset({"train"}), {"run-id": "abc"})
    assert workspace_claim(third) == "wine-1-workspace"
    assert [task["name"] for task in third["spec"]["templates"][0]["dag"]["tasks"]] == ["package"]


def test_retry_omits_fields_set_by_cluster(tmp_path: Path) -> None:
    first = compile_workflow(plan(tmp_path))
    first["metadata"]["labels"]["workflows.argoproj.io/completed"] = "true"
    first["metadata"]["uid"] = "7"
    first["spec"]["shutdown"] = "Stop"
    second = retry_workflow(first, "wine", 2, BOTH, {})
    assert "workflows.argoproj.io/completed" not in second["metadata"]["labels"]
    assert "uid" not in second["metadata"] and "shutdown" not in second["spec"]


def test_retry_omits_both_templates_of_finished_gpu_step(tmp_path: Path) -> None:
    first = compile_workflow(plan(tmp_path, resources={"limits": {"gpu": 1}}))
    second = retry_workflow(first, "wine", 2, BOTH | {"train"}, {})
    assert [t["name"] for t in second["spec"]["templates"]] == ["training", "package"]


def test_rejects_retry_of_finished_workflow(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all its steps have succeeded"):
        retry_workflow(compile_workflow(plan(tmp_path)), "wine", 2, BOTH | {"train", "package"}, {})
