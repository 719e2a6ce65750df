"""What can be said of the MLflow server: mistakes with their lines, what the profile fills in, what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.errors import UserError
from odahu_argo.install.mlflow_manifests import address, arguments, mlflow_text, public_address
from odahu_argo.install.mlflow_values import Values, load
from odahu_argo.profile import Profile
from tests.commands import odahu_argo


def values(folder: Path, text: str, profile: Profile | None = None) -> Values:
    file = folder / "mlflow.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, profile or Profile())


def objects(given: Values) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(mlflow_text(given, "ml"))}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wokers: 2\n", ":1: wokers: there is no field 'wokers'\n  hint: did you mean workers?"),
        ("\nartifacts: {bucket: b}\n", ":2: artifacts.bucket: there is no field 'bucket'"),
        ("userId: 0\n", ":1: userId: must be greater than or equal to 1"),
        ("ingress:\n  enabled: true\n", "ingress.enabled needs ingress.host"),
        ("path: mlflow/\n", ":1: path: 'mlflow/' is no path, such as /mlflow"),
        ("path: /a{{b}}\n", ":1: path: "),
        ("name: My_server\n", ":1: name: 'My_server' is not a Kubernetes name"),
        ("allowedHosts: ['a,b']\n", "it may hold no blank, comma, quote, brace or $"),
        ("environment: {MLFLOW_BACKEND_STORE_URI: a}\n", "MLFLOW_BACKEND_STORE_URI is set from the other values"),
        ("artifacts: {below: ../other}\n", ":1: artifacts.below: '../other' is no path below the connection's URI"),
        ("storage: {size: 10}\n", ":1: storage.size: 10 are bytes; write for example 10Gi"),
        ("resources: {limits: {memory: 4GB}}\n", ":1: resources.limits.memory: '4GB' is not a quantity"),
        ("workers: 2\n---\nworkers: 3\n", "values are one document"),
        ("workers: [\n", "mlflow.yaml:"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        values(tmp_path, text)
    assert said in str(caught.value)


def test_all_mistakes_are_told_at_once_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text("workers: many\npath: x\nimage: '???'\n")
    ran = odahu_argo("setup", "mlflow", "-n", "ml", "--values", tmp_path / "v.yaml")
    assert (ran.code, ran.out, ran.err.count("error:")) == (2, "", 3)
    missing = odahu_argo("setup", "mlflow", "-n", "ml", "--values", tmp_path / "none.yaml")
    assert missing.code == 2 and "the file of values cannot be read: No such file or directory" in missing.err


def test_an_empty_file_and_none_are_the_defaults(tmp_path: Path) -> None:
    assert values(tmp_path, "") == values(tmp_path, "# nothing\n") == load(None, Profile()) == Values()


def test_the_profile_fills_in_what_the_values_do_not_say(tmp_path: Path) -> None:
    profile = Profile.model_validate(
        {"training_image": "registry.example.org/t:1", "user_id": 1001, "output_connection": "zips"}
    )
    chosen = values(tmp_path, "userId: 1002\nartifacts: {below: a}\n", profile)
    assert (chosen.image, chosen.user_id) == ("registry.example.org/t:1", 1002)
    assert (chosen.artifacts.connection, chosen.artifacts.below) == ("zips", "a")


def test_addresses_follow_from_name_namespace_port_and_path(tmp_path: Path) -> None:
    text = "name: tracking\npath: /\nservice: {port: 8080, clusterDomain: corp}\n"
    text += "ingress: {enabled: true, host: ml.example.org}\n"
    chosen = values(tmp_path, text)
    assert address(chosen, "team") == "http://tracking.team.svc.corp:8080"
    assert public_address(chosen) == "http://ml.example.org"
    assert public_address(Values()) is None
    assert not [each for each in arguments(chosen, "team") if each.startswith("--static-prefix")]


@pytest.mark.parametrize(
    ("text", "is_made"),
    [
        ("{}", True),
        ("database: {secret: db}", False),
        ("database: {secret: db}\nartifacts: {connection: ''}", True),
        ("artifacts: {connection: ''}", True),
    ],
)
def test_a_claim_is_made_where_something_is_kept_on_it(text: str, is_made: bool, tmp_path: Path) -> None:
    assert (("PersistentVolumeClaim", "mlflow") in objects(values(tmp_path, text))) == is_made


def test_text_that_looks_like_something_else_stays_text(tmp_path: Path) -> None:
    text = """\
name: "123"
database: {secret: "0x1f", key: "on"}
environment: {A: "{{ x }}", B: "yes", C: "a: b # c"}
podAnnotations: {a: "1e3", b: "{{ y }}"}
nodeSelector: {pool: "true"}
"""
    found = objects(values(tmp_path, text))
    pod = found["Deployment", "123"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    variables = {each["name"]: each for each in container["env"]}
    assert [variables[name]["value"] for name in "ABC"] == ["{{ x }}", "yes", "a: b # c"]
    assert variables["MLFLOW_BACKEND_STORE_URI"]["valueFrom"]["secretKeyRef"] == {"name": "0x1f", "key": "on"}
    assert pod["metadata"]["annotations"] == {"a": "1e3", "b": "{{ y }}"}
    assert pod["spec"]["nodeSelector"] == {"pool": "true"}


def test_options_before_mlflow_are_not_lost_in_silence(tmp_path: Path) -> None:
    ran = odahu_argo("setup", "--namespace", "ml", "mlflow")
    assert (ran.code, ran.out) == (2, "")
    assert "--namespace stands before 'mlflow'" in ran.err
    both = odahu_argo("setup", "mlflow", "-n", "ml", "--apply", "--chart", tmp_path / "chart")
    assert both.code == 2 and not (tmp_path / "chart").exists()


def test_what_is_set_for_good_counts_for_both(tmp_path: Path) -> None:
    import os

    environment = {**os.environ, "ODAHU_ARGO_CONFIG": str(tmp_path / "config")}
    assert odahu_argo("config", "set", "NAMESPACE", "ml", env=environment).code == 0
    for command in (("setup",), ("setup", "mlflow")):
        ran = odahu_argo(*command, env=environment)
        assert ran.code == 0, ran.err
        assert {each["metadata"]["namespace"] for each in yaml.safe_load_all(ran.out)} == {"ml"}
