"""The Helm chart in templates/chart, compared to the manifests of `setup mlflow` for the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.install.mlflow_manifests import server_manifests
from odahu_argo.install.mlflow_values import MlflowValues, load_values
from odahu_argo.profile import Profile
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.servers.helm import Helm, helm

__all__ = ["helm"]

CHART = ROOT / "templates" / "chart"
FILES = sorted((ROOT / "tests" / "golden" / "mlflow").glob("*.values.yaml"))
OTHERS: list[dict[str, Any]] = [
    {"database": {"secret": "db", "key": "url"}, "artifacts": {"connection": ""}},
    {"artifacts": {"below": "/a/b/"}, "path": "/tools/mlflow", "service": {"clusterDomain": "corp.example"}},
    {"ingress": {"enabled": True, "host": "x.org", "tlsSecret": "c"}, "path": "/", "toolchains": {"image": "a:1"}},
    {"environment": {"HOME": "/data", "QUOTED": "a: {b} '\"\\ #"}, "podAnnotations": {"a": "1", "b": "on"}},
    {"resources": {"requests": {"cpu": "2"}}, "userId": 2147483647, "workers": 1, "storage": {"size": "1e12"}},
    {"allowedHosts": ["*"], "allowedOrigins": ["https://a", "https://b"], "podLabels": {"app": "m"}},
]


def normalized(text: str) -> dict[tuple[str, str], Any]:
    """Return the objects without Helm's differences: the managed-by label, and the annotation that keeps the claim."""
    objects = [body for body in yaml.safe_load_all(text) if body]
    for body in objects:
        del body["metadata"]["labels"]["app.kubernetes.io/managed-by"]
        if body["kind"] == "PersistentVolumeClaim" and "annotations" in body["metadata"]:
            assert body["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        if body["kind"] == "ConfigMap":
            body["data"] = {key: json.loads(value) for key, value in body["data"].items()}
        if body["kind"] == "Deployment":
            [container] = body["spec"]["template"]["spec"]["containers"]
            container["env"] = sorted(container["env"], key=lambda variable: variable["name"])
    by_name = {(body["kind"], body["metadata"]["name"]): body for body in objects}
    assert len(by_name) == len(objects)
    return by_name


def values_of(given: dict[str, Any], folder: Path) -> MlflowValues:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(given))
    return load_values(file, Profile())


def test_chart_passes_helm_lint(helm: Helm) -> None:
    completed = helm.run("lint", "--strict", CHART, *[part for file in FILES for part in ("--values", file)])
    assert completed.returncode == 0, completed.stdout
    assert "[WARNING]" not in completed.stdout and "[ERROR]" not in completed.stdout


@pytest.mark.parametrize(
    "given", [*(yaml.safe_load(file.read_text()) for file in FILES), *OTHERS], ids=lambda given: ",".join(given)[:40]
)
def test_chart_renders_the_manifests_of_setup(helm: Helm, given: dict[str, Any], tmp_path: Path) -> None:
    printed = server_manifests(values_of(given, tmp_path), "ml")
    assert normalized(helm.template(CHART, given, tmp_path)) == normalized(printed)


def test_chart_and_models_have_the_same_defaults() -> None:
    assert MlflowValues.model_validate(yaml.safe_load((CHART / "values.yaml").read_text())) == MlflowValues()
    assert yaml.safe_load((CHART / "values.yaml").read_text()) == MlflowValues().model_dump(by_alias=True, mode="json")


def test_chart_version_equals_the_package_version() -> None:
    from odahu_argo import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_written_chart_renders_the_manifests_of_setup(helm: Helm, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        "namespace: ml\ntraining_image: registry.example.org/training:2\nuser_id: 1001\noutput_connection: zips\n"
        "image_pull_secrets: [pull]\npools: {cpu: {node_selector: {pool: cpu}, tolerations: [{key: a, operator: Exists}]}}\n"
    )
    values = tmp_path / "values.yaml"
    values.write_text("workers: 3\nartifacts: {below: ''}\nnodeSelector: {zone: a}\n")
    options = ("--profile", profile, "--values", values)
    assert odahu_argo("setup", "mlflow", *options, "--chart", tmp_path / "chart").code == 0
    printed = odahu_argo("setup", "mlflow", *options)
    manifests = normalized(printed.out)
    assert normalized(helm.template(tmp_path / "chart", {}, tmp_path)) == manifests
    pod = manifests["Deployment", "mlflow"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "cpu", "zone": "a"}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["securityContext"]["runAsUser"] == 1001
    assert pod["volumes"][1]["secret"]["secretName"] == "connection-zips"
    again = odahu_argo("setup", "mlflow", *options, "--chart", tmp_path / "chart")
    assert again.code == 2 and "already exists and is not empty" in again.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wokers": 3}, "wokers"),
        ({"ingress": {"hosts": ["a"]}}, "hosts"),
        ({"workers": "many"}, "workers"),
        ({"ingress": {"enabled": True}}, "ingress.enabled requires ingress.host"),
        ({"environment": {"MLFLOW_BACKEND_STORE_URI": "x"}}, "is set by other values"),
    ],
)
def test_chart_and_setup_reject_the_same_values(
    helm: Helm, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    by_helm = helm.run("template", "mlflow", CHART, "--values", file)
    assert by_helm.returncode != 0 and message in by_helm.stderr
    by_setup = odahu_argo("setup", "mlflow", "-n", "ml", "--values", file)
    assert (by_setup.code, by_setup.out) == (2, "")
    assert message in by_setup.err


def test_toolchains_registered_by_helm_are_valid(helm: Helm, tmp_path: Path) -> None:
    from odahu_argo.resources.toolchains import read_toolchain

    objects = yaml.safe_load_all(helm.template(CHART, {"toolchains": {"image": "registry.example.org/t:1"}}, tmp_path))
    toolchains = [read_toolchain(body) for body in objects if body["kind"] == "ConfigMap"]
    specs = {toolchain.id: toolchain.spec for toolchain in toolchains}
    assert set(specs) == {"mlflow", "mlflow-project"}
    for name, spec in specs.items():
        assert (spec.entrypoint, spec.default_image) == (name, "registry.example.org/t:1")
        assert spec.additional_environments == {"MLFLOW_TRACKING_URI": "http://mlflow.ml.svc.cluster.local/mlflow"}
