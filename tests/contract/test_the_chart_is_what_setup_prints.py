"""templates/chart, rendered by Helm, against the manifests that `setup mlflow` prints for the same values."""

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


def meaning(text: str) -> dict[tuple[str, str], Any]:
    """The objects, without the two things in which Helm's differ: who manages them, and that the claim outlives a release."""
    objects = [each for each in yaml.safe_load_all(text) if each]
    for each in objects:
        del each["metadata"]["labels"]["app.kubernetes.io/managed-by"]
        if each["kind"] == "PersistentVolumeClaim" and "annotations" in each["metadata"]:
            assert each["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        if each["kind"] == "ConfigMap":
            each["data"] = {key: json.loads(value) for key, value in each["data"].items()}
        if each["kind"] == "Deployment":
            [container] = each["spec"]["template"]["spec"]["containers"]
            container["env"] = sorted(container["env"], key=lambda variable: variable["name"])
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


def values_of(given: dict[str, Any], folder: Path) -> MlflowValues:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(given))
    return load_values(file, Profile())


def test_helm_finds_nothing_to_say_of_the_chart(helm: Helm) -> None:
    ended = helm.run("lint", "--strict", CHART, *[part for file in FILES for part in ("--values", file)])
    assert ended.returncode == 0, ended.stdout
    assert "[WARNING]" not in ended.stdout and "[ERROR]" not in ended.stdout


@pytest.mark.parametrize(
    "given", [*(yaml.safe_load(file.read_text()) for file in FILES), *OTHERS], ids=lambda given: ",".join(given)[:40]
)
def test_the_chart_makes_what_setup_prints(helm: Helm, given: dict[str, Any], tmp_path: Path) -> None:
    printed = server_manifests(values_of(given, tmp_path), "ml")
    assert meaning(helm.template(CHART, given, tmp_path)) == meaning(printed)


def test_the_defaults_are_the_same() -> None:
    assert MlflowValues.model_validate(yaml.safe_load((CHART / "values.yaml").read_text())) == MlflowValues()
    assert yaml.safe_load((CHART / "values.yaml").read_text()) == MlflowValues().model_dump(by_alias=True, mode="json")


def test_the_version_is_that_of_the_package() -> None:
    from odahu_argo import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_a_chart_that_was_written_makes_what_its_profile_and_values_say(helm: Helm, tmp_path: Path) -> None:
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
    found = meaning(printed.out)
    assert meaning(helm.template(tmp_path / "chart", {}, tmp_path)) == found
    pod = found["Deployment", "mlflow"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "cpu", "zone": "a"}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["securityContext"]["runAsUser"] == 1001
    assert pod["volumes"][1]["secret"]["secretName"] == "connection-zips"
    again = odahu_argo("setup", "mlflow", *options, "--chart", tmp_path / "chart")
    assert again.code == 2 and "is there already, and not empty" in again.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"wokers": 3}, "wokers"),
        ({"ingress": {"hosts": ["a"]}}, "hosts"),
        ({"workers": "many"}, "workers"),
        ({"ingress": {"enabled": True}}, "ingress.enabled needs ingress.host"),
        ({"environment": {"MLFLOW_BACKEND_STORE_URI": "x"}}, "is set from the other values"),
    ],
)
def test_both_refuse_the_same_values(helm: Helm, wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(wrong))
    by_helm = helm.run("template", "mlflow", CHART, "--values", file)
    assert by_helm.returncode != 0 and said in by_helm.stderr
    by_us = odahu_argo("setup", "mlflow", "-n", "ml", "--values", file)
    assert (by_us.code, by_us.out) == (2, "")
    assert said in by_us.err


def test_the_toolchains_that_helm_registers_are_read_as_such(helm: Helm, tmp_path: Path) -> None:
    from odahu_argo.resources.toolchains import read_toolchain

    made = yaml.safe_load_all(helm.template(CHART, {"toolchains": {"image": "registry.example.org/t:1"}}, tmp_path))
    found = {each.id: each.spec for each in map(read_toolchain, (o for o in made if o["kind"] == "ConfigMap"))}
    assert set(found) == {"mlflow", "mlflow-project"}
    for name, spec in found.items():
        assert (spec.entrypoint, spec.default_image) == (name, "registry.example.org/t:1")
        assert spec.additional_environments == {"MLFLOW_TRACKING_URI": "http://mlflow.ml.svc.cluster.local/mlflow"}
