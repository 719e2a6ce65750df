"""`odahu-argo ti` on a real Kubernetes API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.errors import NotFound, UserError
from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import CONFIG_MAP
from odahu_argo.manifest.load import load
from odahu_argo.profile import Profile
from odahu_argo.trainings.submit import plan_for_cluster
from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write

pytestmark = pytest.mark.cluster

Ti = Callable[..., CommandResult]
IMAGE = "registry.example.org/ml/trainer:2"


@pytest.fixture
def ti(cluster: KubeCluster) -> Ti:
    return lambda *arguments, **options: odahu_argo("ti", *arguments, "-n", cluster.namespace, **options)


def toolchain(name: str = "wine-trainer", **spec: Any) -> dict[str, Any]:
    fields = {"entrypoint": "mlflow", "defaultImage": IMAGE, "additionalEnvironments": {"A": "1"}, **spec}
    return {"kind": "ToolchainIntegration", "id": name, "spec": fields}


def manifest(folder: Path, *toolchains: dict[str, Any]) -> Path:
    file = folder / "toolchains.yaml"
    file.write_text(yaml.safe_dump_all(toolchains), encoding="utf-8")
    return file


def planned(cluster: KubeCluster, folder: Path, name: str, *others: dict[str, Any]) -> Any:
    [plan] = plan_for_cluster(cluster, load([write(folder, training(toolchain=name), *others)]), Profile())
    return next(step for step in plan.steps if step.name == "train")


def test_create_get_edit_and_delete(ti: Ti, cluster: KubeCluster, tmp_path: Path) -> None:
    file = manifest(tmp_path, toolchain())
    created = ti("create", "-f", file)
    assert (created.code, created.out) == (0, "toolchain wine-trainer created\n"), created.err
    again = ti("create", "-f", file)
    assert again.code == 2 and "toolchain 'wine-trainer' already exists" in again.err and "ti edit" in again.err
    assert ti("create", "-f", file, "--ignore-if-exists").out == "toolchain wine-trainer already exists\n"
    [shown] = json.loads(ti("get", "--id", "wine-trainer", "-o", "json").out)
    assert shown["spec"] == toolchain()["spec"]
    assert list(shown) == ["kind", "id", "createdAt", "updatedAt", "spec", "status"]
    assert shown["updatedAt"] >= shown["createdAt"] > "2020"
    assert ti("edit", "-f", file).out == "toolchain wine-trainer unchanged\n"
    assert ti("edit", "-f", manifest(tmp_path, toolchain(entrypoint="mlflow-project"))).out.endswith(" updated\n")
    assert ti("get", "--ti-id", "wine-trainer", "-o", "jsonpath=[*].spec.entrypoint").out == "mlflow-project\n"
    assert ti("delete", "--id", "wine-trainer").out == "toolchain wine-trainer deleted\n"
    missing = ti("delete", "-f", file)
    assert missing.code == 2 and "there is no toolchain 'wine-trainer'" in missing.err
    ignored = ti("delete", "-f", file, "--ignore-not-found")
    assert (ignored.code, ignored.out) == (0, "toolchain wine-trainer does not exist\n")
    with pytest.raises(NotFound):
        cluster.get(CONFIG_MAP, "toolchain-wine-trainer")


def test_id_option_overrides_the_id_of_a_single_manifest(ti: Ti, tmp_path: Path) -> None:
    shown = ti("create", "-f", manifest(tmp_path, toolchain()), "--id", "other", "-o", "yaml")
    assert shown.code == 0, shown.err
    [form] = yaml.safe_load(shown.out)
    assert (form["id"], form["spec"]) == ("other", toolchain()["spec"])
    assert shown.err == "note: toolchain wine-trainer is submitted as other\ntoolchain other created\n"
    missing = ti("edit", "-f", tmp_path / "toolchains.yaml")
    assert missing.code == 2 and "there is no toolchain 'wine-trainer'" in missing.err


def test_built_in_toolchains_are_listed_and_can_be_overridden(ti: Ti, tmp_path: Path) -> None:
    assert ti("get", "-o", "jsonpath=[*].id").out == '["mlflow", "mlflow-project"]\n'
    rejected = ti("delete", "--id", "mlflow")
    assert rejected.code == 2 and "'mlflow' is built in" in rejected.err
    assert ti("edit", "-f", manifest(tmp_path, toolchain("mlflow"))).out == "toolchain mlflow created\n"
    assert ti("get", "--id", "mlflow", "-o", "jsonpath=[*].spec.defaultImage").out == f"{IMAGE}\n"
    assert ti("get", "-o", "table").out.splitlines()[0].split() == ["ID", "ENTRYPOINT", "IMAGE", "AGE"]
    assert ti("delete", "--id", "mlflow").code == 0
    assert ti("get", "--id", "mlflow", "-o", "jsonpath=[*].spec.entrypoint").out == "mlflow\n"


def test_precedence_of_manifests_cluster_and_built_in_toolchains(ti: Ti, cluster: KubeCluster, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown toolchain 'wine-trainer'"):
        planned(cluster, tmp_path, "wine-trainer")
    assert ti("create", "-f", manifest(tmp_path, toolchain(), toolchain("mlflow"))).code == 0
    assert planned(cluster, tmp_path, "wine-trainer").image == IMAGE
    assert planned(cluster, tmp_path, "mlflow").image == IMAGE
    assert planned(cluster, tmp_path, "mlflow-project").image == Profile().training_image
    own = toolchain("mlflow", defaultImage="registry.example.org/own:1")
    assert planned(cluster, tmp_path, "mlflow", own).image == "registry.example.org/own:1"


def test_invalid_toolchain_affects_only_trainings_that_use_it(ti: Ti, cluster: KubeCluster, tmp_path: Path) -> None:
    assert ti("create", "-f", manifest(tmp_path, toolchain(), toolchain("other"))).code == 0
    broken = "kind: ToolchainIntegration\nid: other\nspec: {entrypiont: mlflow}\n"
    cluster.patch(CONFIG_MAP, "toolchain-other", {"data": {"toolchain.json": broken}})
    assert planned(cluster, tmp_path, "wine-trainer").image == IMAGE
    with pytest.raises(UserError, match=r"ConfigMap toolchain-other:3: spec\.entrypiont: unknown field"):
        planned(cluster, tmp_path, "other")
    shown = ti("get", "--id", "other")
    assert shown.code == 2 and "did you mean entrypoint?" in shown.err
    cluster.patch(CONFIG_MAP, "toolchain-other", {"data": {"toolchain.json": broken.replace("iont", "oint")}})
    assert planned(cluster, tmp_path, "other").image == Profile().training_image


def test_manifests_without_a_toolchain_are_rejected(ti: Ti, tmp_path: Path) -> None:
    result = ti("create", "-f", write(tmp_path, training()))
    assert result.code == 2 and "the manifests contain no ToolchainIntegration" in result.err
