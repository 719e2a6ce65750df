"""Values of the MLflow server: validation, defaults from the profile, and the resulting manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.errors import UserError
from odahu_argo.install.mlflow_manifests import external_url, internal_url, server_arguments, server_manifests
from odahu_argo.install.mlflow_values import MlflowValues, load_values
from odahu_argo.profile import Profile
from tests.commands import odahu_argo


def values(folder: Path, text: str, profile: Profile | None = None) -> MlflowValues:
    file = folder / "mlflow.yaml"
    file.write_text(text, encoding="utf-8")
    return load_values(file, profile or Profile())


def objects(given: MlflowValues) -> dict[tuple[str, str], Any]:
    return {
        (each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(server_manifests(given, "ml"))
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wokers: 2\n", ":1: wokers: unknown field 'wokers'\n  hint: did you mean workers?"),
        ("\nartifacts: {bucket: b}\n", ":2: artifacts.bucket: unknown field 'bucket'"),
        ("userId: 0\n", ":1: userId: must be greater than or equal to 1"),
        ("ingress:\n  enabled: true\n", "ingress.enabled requires ingress.host"),
        ("path: mlflow/\n", ":1: path: 'mlflow/' is not a path, such as /mlflow"),
        ("path: /a{{b}}\n", ":1: path: "),
        ("name: My_server\n", ":1: name: 'My_server' is not a Kubernetes name"),
        ("allowedHosts: ['a,b']\n", "it must not contain spaces, commas, quotes, braces or $"),
        ("environment: {MLFLOW_BACKEND_STORE_URI: a}\n", "MLFLOW_BACKEND_STORE_URI is set by other values"),
        ("artifacts: {below: ../other}\n", ":1: artifacts.below: '../other' is not a path below the connection's URI"),
        ("storage: {size: 10}\n", ":1: storage.size: 10 is a number of bytes; did you mean 10Gi?"),
        ("resources: {limits: {memory: 4GB}}\n", ":1: resources.limits.memory: '4GB' is not a quantity"),
        ("workers: 2\n---\nworkers: 3\n", "a values file is a single YAML document"),
        ("workers: [\n", "mlflow.yaml:"),
    ],
)
def test_invalid_value_is_reported_with_its_position(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        values(tmp_path, text)
    assert message in str(caught.value)


def test_all_errors_are_reported_at_once_and_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text("workers: many\npath: x\nimage: '???'\n")
    ran = odahu_argo("setup", "mlflow", "-n", "ml", "--values", tmp_path / "v.yaml")
    assert (ran.code, ran.out, ran.err.count("error:")) == (2, "", 3)
    missing = odahu_argo("setup", "mlflow", "-n", "ml", "--values", tmp_path / "none.yaml")
    assert missing.code == 2 and "cannot read the values file: No such file or directory" in missing.err


def test_empty_or_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert values(tmp_path, "") == values(tmp_path, "# nothing\n") == load_values(None, Profile()) == MlflowValues()


def test_profile_supplies_unset_values(tmp_path: Path) -> None:
    profile = Profile.model_validate(
        {"training_image": "registry.example.org/t:1", "user_id": 1001, "output_connection": "zips"}
    )
    chosen = values(tmp_path, "userId: 1002\nartifacts: {below: a}\n", profile)
    assert (chosen.image, chosen.user_id) == ("registry.example.org/t:1", 1002)
    assert (chosen.artifacts.connection, chosen.artifacts.below) == ("zips", "a")


def test_urls_are_derived_from_name_namespace_port_and_path(tmp_path: Path) -> None:
    text = "name: tracking\npath: /\nservice: {port: 8080, clusterDomain: corp}\n"
    text += "ingress: {enabled: true, host: ml.example.org}\n"
    chosen = values(tmp_path, text)
    assert internal_url(chosen, "team") == "http://tracking.team.svc.corp:8080"
    assert external_url(chosen) == "http://ml.example.org"
    assert external_url(MlflowValues()) is None
    assert not [option for option in server_arguments(chosen, "team") if option.startswith("--static-prefix")]


@pytest.mark.parametrize(
    ("text", "is_created"),
    [
        ("{}", True),
        ("database: {secret: db}", False),
        ("database: {secret: db}\nartifacts: {connection: ''}", True),
        ("artifacts: {connection: ''}", True),
    ],
)
def test_claim_is_created_only_if_needed(text: str, is_created: bool, tmp_path: Path) -> None:
    assert (("PersistentVolumeClaim", "mlflow") in objects(values(tmp_path, text))) == is_created


def test_strings_stay_strings_in_yaml(tmp_path: Path) -> None:
    text = """\
name: "123"
database: {secret: "0x1f", key: "on"}
environment: {A: "{{ x }}", B: "yes", C: "a: b # c"}
podAnnotations: {a: "1e3", b: "{{ y }}"}
nodeSelector: {pool: "true"}
"""
    manifests = objects(values(tmp_path, text))
    pod = manifests["Deployment", "123"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    variables = {each["name"]: each for each in container["env"]}
    assert [variables[name]["value"] for name in "ABC"] == ["{{ x }}", "yes", "a: b # c"]
    assert variables["MLFLOW_BACKEND_STORE_URI"]["valueFrom"]["secretKeyRef"] == {"name": "0x1f", "key": "on"}
    assert pod["metadata"]["annotations"] == {"a": "1e3", "b": "{{ y }}"}
    assert pod["spec"]["nodeSelector"] == {"pool": "true"}


def test_options_before_mlflow_are_rejected(tmp_path: Path) -> None:
    ran = odahu_argo("setup", "--namespace", "ml", "mlflow")
    assert (ran.code, ran.out) == (2, "")
    assert "--namespace precedes 'mlflow'" in ran.err
    both = odahu_argo("setup", "mlflow", "-n", "ml", "--apply", "--chart", tmp_path / "chart")
    assert both.code == 2 and not (tmp_path / "chart").exists()


def test_configured_namespace_applies_to_both_commands(tmp_path: Path) -> None:
    import os

    environment = {**os.environ, "ODAHU_ARGO_CONFIG": str(tmp_path / "config")}
    assert odahu_argo("config", "set", "NAMESPACE", "ml", env=environment).code == 0
    for command in (("setup",), ("setup", "mlflow")):
        ran = odahu_argo(*command, env=environment)
        assert ran.code == 0, ran.err
        assert {each["metadata"]["namespace"] for each in yaml.safe_load_all(ran.out)} == {"ml"}
