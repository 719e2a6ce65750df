"""Manifests that Kubernetes, YAML or MLflow would read differently than their author: each is rejected with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_param

from odahu_argo.plan.rules import invalid_parameter_name
from tests.commands import CommandResult, odahu_argo
from tests.manifests import CONNECTIONS

TRAINING = """\
kind: ModelTraining
id: wine
spec:
  model: {name: wine, version: "1.0"}
  toolchain: mlflow
  vcsName: code
"""
LINE = 7
"""Line of the text that a test appends to the specification."""


def compile_training(folder: Path, spec: str) -> CommandResult:
    file = folder / "training.yaml"
    file.write_text(f"{TRAINING}  {spec}\n---\n{CONNECTIONS}", encoding="utf-8")
    return odahu_argo("compile", "-f", file.name, cwd=folder)


def compile_with_profile(folder: Path, profile: str) -> CommandResult:
    (folder / "profile.yaml").write_text(profile, encoding="utf-8")
    (folder / "training.yaml").write_text(f"{TRAINING}---\n{CONNECTIONS}", encoding="utf-8")
    return odahu_argo("compile", "-f", "training.yaml", "--profile", "profile.yaml", cwd=folder)


@pytest.mark.parametrize(
    ("spec", "field", "message", "hint"),
    [
        ("resources: {limits: {cpu: 1,5}}", "resources.limits.5", "unknown field '5'", "did you mean 1.5?"),
        ("resources: {limits: {memory: 1,5Gi}}", "resources.limits.5Gi", "unknown field '5Gi'", "did you mean 1.5Gi?"),
        ("resources: {limits: {gpuu: }}", "resources.limits.gpuu", "unknown field 'gpuu'", "did you mean gpu?"),
        ('resources: {limits: {gpuu: ""}}', "resources.limits.gpuu", "unknown field 'gpuu'", "did you mean gpu?"),
        ("resources: {limitss: }", "resources.limitss", "unknown field 'limitss'", "did you mean limits?"),
        ("entrypont: null", "entrypont", "unknown field 'entrypont'", "did you mean entrypoint?"),
        (
            "data: [{connName: code, localPath: a, remotPath: }]",
            "data[0].remotPath",
            "unknown",
            "did you mean remotePath?",
        ),
        ("hyperParameters: {alpha: 0,5}", "hyperParameters.5", "has no value", "did you mean 0.5?"),
    ],
)
def test_rejects_unknown_field_without_value(tmp_path: Path, spec: str, field: str, message: str, hint: str) -> None:
    ran = compile_training(tmp_path, spec)
    assert (ran.code, ran.out) == (2, "")
    lines = ran.err.splitlines()
    [number] = [n for n, line in enumerate(lines) if line.startswith(f"error: training.yaml:{LINE}: spec.{field}: ")]
    assert message in lines[number]
    assert hint in lines[number + 1]


@pytest.mark.parametrize(
    ("profile", "field", "hint"),
    [
        ("timeouts: {train: 1h, package: }\ntimeoutt:\n", "timeoutt", "did you mean timeouts?"),
        ("\ntimeouts: {trainn: }\n", "timeouts.trainn", "did you mean train?"),
        ("\ntraining_resources: {limits: {cpuu: }}\n", "training_resources.limits.cpuu", "did you mean cpu?"),
        ('\nstep_resources: {limits: {cpuu: ""}}\n', "step_resources.limits.cpuu", "did you mean cpu?"),
        ("\nstep_resources: {limits: {cpu: 1,5}}\n", "step_resources.limits.5", "did you mean 1.5?"),
    ],
)
def test_rejects_unknown_setting_without_value(tmp_path: Path, profile: str, field: str, hint: str) -> None:
    ran = compile_with_profile(tmp_path, profile)
    assert (ran.code, ran.out) == (2, "")
    error, hint_line = ran.err.splitlines()
    assert error.startswith(f"error: profile.yaml:2: {field}: unknown field ")
    assert hint in hint_line


@pytest.mark.parametrize(
    "spec",
    [
        "resources: {limits: {cpu: , memory: null, gpu: ~}, requests: }",
        "image: null",
        "hyperParameters: {alpha: , beta: }",
        "algorithmSource: {vcs: , objectStorage: {connection: , path: }}",
    ],
)
def test_accepts_known_field_without_value(tmp_path: Path, spec: str) -> None:
    ran = compile_training(tmp_path, spec)
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("limits", "field", "message"),
    [
        ("memory: 4", "memory", "4 is a number of bytes; did you mean 4Gi?"),
        ("memory: 512", "memory", "512 is a number of bytes; did you mean 512Mi?"),
        ("memory: 400m", "memory", "400m is less than 1Mi; did you mean 400Mi?"),
        ("memory: 4k", "memory", "4k is less than 1Mi; did you mean 4Mi?"),
        ("memory: 4Ei", "memory", "4Ei is more than 512Ti; did you mean 4Gi?"),
        (
            "memory: 010Gi",
            "memory",
            "'010Gi' starts with 0, which YAML 1.1 reads as an octal number; did you mean 10Gi?",
        ),
        ("cpu: 100M", "cpu", "100M is more than 4096 CPUs; did you mean 100m?"),
        ("cpu: 4Gi", "cpu", "4Gi is more than 4096 CPUs; did you mean 4?"),
        ("cpu: 5000", "cpu", "5000 is more than 4096 CPUs; did you mean 5000m?"),
        ("cpu: 0.0001", "cpu", "0.0001 is less than 1m, the smallest number of CPUs in Kubernetes"),
        ("cpu: 010", "cpu", "'010' starts with 0, which YAML 1.1 reads as an octal number; did you mean 10?"),
        ("gpu: 99999999999999999999", "gpu", "99999999999999999999 is more than 1024 GPUs; write the number of"),
        ("gpu: 010", "gpu", "'010' starts with 0, which YAML 1.1 reads as an octal number; did you mean 10?"),
        ("gpu: 1M", "gpu", "1M is more than 1024 GPUs"),
    ],
)
@pytest.mark.parametrize("kind", ["limits", "requests"])
def test_rejects_amount_with_wrong_unit(tmp_path: Path, kind: str, limits: str, field: str, message: str) -> None:
    ran = compile_training(tmp_path, f"resources: {{{kind}: {{{limits}}}}}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: training.yaml:{LINE}: spec.resources.{kind}.{field}: {message}")


@pytest.mark.parametrize(
    "limits", ["memory: 1Mi, cpu: 1m", "memory: 512Ti, cpu: 4096", "memory: 2e9, cpu: 0.5, gpu: 16", "gpu: 0"]
)
def test_accepts_amount_of_large_and_small_machines(tmp_path: Path, limits: str) -> None:
    ran = compile_training(tmp_path, f"resources: {{limits: {{{limits}}}}}")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("workspace: {size: 20}", "workspace.size: 20 is a number of bytes; did you mean 20Gi?"),
        ("workspace: {size: 200}", "workspace.size: 200 is a number of bytes; did you mean 200Gi?"),
        ("workspace: {size: 0}", "workspace.size: must be larger than 0"),
        ("step_resources: {limits: {memory: 1}}", "step_resources.limits.memory: 1 is a number of bytes"),
        ("timeouts: {train: 999999999d}", "timeouts.train: 999999999d is longer than 3650d"),
        ("pools: {gpu: {pending_timeout: 999999999d}}", "pools.gpu.pending_timeout: 999999999d is longer than 3650d"),
        ("parallelism: 99999999999", "parallelism: must be less than or equal to 2000"),
        ("user_id: 99999999999", "user_id: must be less than or equal to 2147483647"),
    ],
)
def test_rejects_setting_beyond_limits(tmp_path: Path, profile: str, message: str) -> None:
    ran = compile_with_profile(tmp_path, profile)
    assert (ran.code, ran.out) == (2, "")
    assert f"error: profile.yaml:1: {message}" in ran.err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("<script>", "a name consists of letters, digits, spaces and _-.:/"),
        ("a//b", "this one is the path 'a/b'"),
        ("../a", "this one is the path '../a'"),
        ("/a", "this one is the path '/a'"),
        ("x" * 251, "a name has at most 250 characters"),
    ],
)
def test_rejects_hyperparameter_that_mlflow_rejects(tmp_path: Path, name: str, reason: str) -> None:
    ran = compile_training(tmp_path, f"hyperParameters: {{'{name}': 1}}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: training.yaml:{LINE}: spec.hyperParameters.")
    assert f"MLflow rejects the hyperparameter '{name}'" in ran.err
    assert reason in ran.err


@pytest.mark.parametrize("version", ["<i>", "<b>1</b>", "<script>alert(1)</script>"])
def test_calls_html_an_invalid_label(tmp_path: Path, version: str) -> None:
    (tmp_path / "training.yaml").write_text(f"{TRAINING.replace('1.0', version)}---\n{CONNECTIONS}", encoding="utf-8")
    ran = odahu_argo("compile", "-f", "training.yaml", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        f"error: training.yaml:4: spec.model.version: '{version}' is not a valid Kubernetes label"
    )


def test_accepts_any_hyperparameter_of_other_toolchains(tmp_path: Path) -> None:
    """A toolchain without MLflow has its own rules."""
    file = tmp_path / "training.yaml"
    manifest = TRAINING.replace("toolchain: mlflow", "toolchain: line") + "  hyperParameters: {'<script>': 1}\n"
    toolchain = "kind: ToolchainIntegration\nid: line\nspec: {entrypoint: least-squares}\n"
    file.write_text("---\n".join([manifest, toolchain, CONNECTIONS]), encoding="utf-8")
    ran = odahu_argo("compile", "-f", file)
    assert (ran.code, ran.err) == (0, "")


@given(
    st.text(st.characters(codec="utf-8"), max_size=20) | st.text("ab./-_ :\n", max_size=8) | st.text("a", min_size=245)
)
@example("a" * 250)
@example("a" * 251)
@example("")
@example(".")
@example("a\n")
@example("größe")
def test_agrees_with_mlflow_about_hyperparameter(name: str) -> None:
    try:
        _validate_param(name, "1")
        is_accepted = True
    except MlflowException:
        is_accepted = False
    assert (invalid_parameter_name(name) is None) == is_accepted
