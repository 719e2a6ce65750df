"""`compile` and `plan` as a user has them: processes with output, exit codes and files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands import odahu_argo
from tests.conftest import ROOT, Example
from tests.manifests import training, write

OFFLINE = """\
import socket, sys
def refuse(*_args, **_kw): raise OSError("no network in this test")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
sys.argv[0] = "odahu-argo"
from odahu_argo.cli.app import build_command
build_command()(sys.argv[1:], standalone_mode=False)
heavy = {"mlflow", "kubernetes", "hera", "boto3", "botocore", "google", "azure", "pandas", "numpy", "sklearn", "requests"}
sys.exit(str(sorted(heavy & set(sys.modules)) or ""))
"""


@pytest.mark.parametrize("command", ["compile", "plan"])
def test_uses_no_network_and_imports_no_heavy_package(example: Example, command: str) -> None:
    process = [sys.executable, "-c", OFFLINE, command, *example.arguments]
    ended = subprocess.run(process, capture_output=True, text=True, cwd=ROOT, env={"HOME": "/nonexistent"})
    assert ended.stderr.strip() == ""
    assert "download-" in ended.stdout


def test_writes_one_document_per_training(tmp_path: Path) -> None:
    file = write(tmp_path, training(), {**training(), "id": "other"})
    ran = odahu_argo("compile", "-f", file)
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(ran.out)] == ["wine-1", "other-1"]
    as_json = odahu_argo("compile", "-f", file, "-o", "json")
    assert [item["metadata"]["name"] for item in json.loads(as_json.out)["items"]] == ["wine-1", "other-1"]
    one = odahu_argo("compile", "-f", file, "--id", "other")
    assert yaml.safe_load(one.out)["metadata"]["name"] == "other-1"


def test_reads_manifests_from_standard_input(tmp_path: Path) -> None:
    text = write(tmp_path, training()).read_text()
    assert odahu_argo("compile", "-f", "-", stdin=text).out == odahu_argo("compile", "-d", tmp_path).out


def test_writes_one_file_per_training(tmp_path: Path) -> None:
    file = write(tmp_path, training(), {**training(), "id": "other"})
    ran = odahu_argo("compile", "-f", file, "--output-dir", tmp_path / "out", "-o", "json")
    assert (ran.code, ran.out) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["other.json", "wine.json"]
    assert json.loads((tmp_path / "out" / "wine.json").read_text())["metadata"]["name"] == "wine-1"


def test_invalid_training_prevents_all_output(tmp_path: Path) -> None:
    file = write(tmp_path, training(), {**training(workDir="/x"), "id": "other"})
    ran = odahu_argo("compile", "-f", file, "--output-dir", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert not (tmp_path / "out").exists()
    assert f"error: {file}:" in ran.err
    assert "hint: write a path relative to the root of the repository" in ran.err


@pytest.mark.parametrize("command", [["compile"], ["plan"], ["compile", "-f", "no.yaml"], ["compile", "--nope"]])
def test_invalid_option_exits_with_2(command: list[str], tmp_path: Path) -> None:
    ran = odahu_argo(*command, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_option_lists_external_connections(tmp_path: Path) -> None:
    file = write(tmp_path, training(vcsName="elsewhere"))
    refused = odahu_argo("compile", "-f", file)
    assert refused.code == 2
    assert "--external-connection elsewhere" in refused.err
    accepted = odahu_argo("compile", "-f", file, "--external-connection", "elsewhere")
    assert accepted.code == 0
    assert "connection-elsewhere" in accepted.out


def test_reads_profile_from_option_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, training())
    profile = tmp_path / "profile.txt"
    profile.write_text("namespace: ml\n")
    by_option = odahu_argo("compile", "-f", file, "--profile", profile)
    monkeypatch.setenv("ODAHU_ARGO_PROFILE", str(profile))
    by_environment = odahu_argo("compile", "-f", file)
    assert yaml.safe_load(by_option.out)["metadata"]["namespace"] == "ml"
    assert by_environment.out == by_option.out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes: {}\n", ":1: nodes: unknown field 'nodes'"),
        ("pools:\n  gpu:\n    pending_timeout: soon\n", ":3: pools.gpu.pending_timeout: 'soon' is not a duration"),
        ("pools: {other_steps: somewhere}\n", ":1: pools.other_steps: must be 'on_cpu' or 'with_training'"),
        ("a: 1\n---\nb: 2\n", ":3: a profile is a single YAML document"),
    ],
)
def test_reports_line_of_invalid_profile(tmp_path: Path, text: str, expected: str) -> None:
    profile = tmp_path / "profile.txt"
    profile.write_text(text)
    ran = odahu_argo("compile", "-f", write(tmp_path, training()), "--profile", profile)
    assert ran.code == 2
    assert f"error: {profile}{expected}" in ran.err


def test_closed_pipe_is_no_error(example: Example) -> None:
    command = [sys.executable, "-m", "odahu_argo", "compile", *example.arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_skips_other_kinds_with_a_note(tmp_path: Path) -> None:
    file = write(tmp_path, training(), {"kind": "ModelPackaging", "id": "p", "spec": {}})
    ran = odahu_argo("compile", "-f", file)
    assert ran.code == 0
    assert f"note: {file}:" in ran.err
    assert "ModelPackaging is skipped" in ran.err


@pytest.mark.parametrize("command", ["compile", "plan"])
def test_json_diagnostics_contain_problems_warnings_and_notes(tmp_path: Path, command: str) -> None:
    file = write(tmp_path, training(args=["a"]), {"kind": "ModelPackaging", "id": "p", "spec": {}})
    ran = odahu_argo(command, "-f", file, "-o", "json")
    expected = json.loads(ran.err)
    assert (ran.code, expected["problems"]) == (0, [])
    assert [(each["file"], each["field"]) for each in expected["warnings"]] == [(str(file), "spec.args")]
    assert [note for note in expected["notes"] if note.startswith(f"{file}:") and "ModelPackaging" in note]
    broken = odahu_argo(command, "-f", write(tmp_path, training(args=["a"], vcsName="coed")), "-o", "json")
    assert (broken.code, broken.out) == (2, "")
    assert [len(json.loads(broken.err)[kind]) for kind in ("problems", "warnings", "notes")] == [1, 1, 0]


def test_json_without_diagnostics_leaves_stderr_empty(tmp_path: Path) -> None:
    ran = odahu_argo("plan", "-f", write(tmp_path, training()), "-o", "json")
    [plan] = json.loads(ran.out)
    assert ran.err == ""
    assert [(step["name"], step["kind"], step["needs"]) for step in plan["steps"]] == [
        ("checkout", "checkout", []),
        ("download-wine-data", "download", ["checkout"]),
        ("train", "train", ["download-wine-data"]),
        ("package", "package", ["train"]),
    ]


def test_prints_version_and_help() -> None:
    assert odahu_argo("--version").out.startswith("odahu-argo ")
    for command in ([], ["plan"], ["compile"], ["local", "train", "run"]):
        ran = odahu_argo(*command, "--help")
        assert ran.code == 0
        assert "Usage:" in ran.out


def test_replaces_characters_outside_the_encoding_in_drawings(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    command = [sys.executable, "-m", "odahu_argo", "plan", *example.arguments]
    ended = subprocess.run(command, capture_output=True, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"checkout ?" in ended.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk_is_service_fault(example: Example) -> None:
    command = [sys.executable, "-m", "odahu_argo", "compile", *example.arguments]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert ended.returncode == 3
    assert "cannot write to standard output: No space left on device" in ended.stderr


def test_setup_requires_namespace() -> None:
    refused = odahu_argo("setup")
    assert (refused.code, refused.out) == (2, "")
    documents = list(yaml.safe_load_all(odahu_argo("setup", "--namespace", "ml").out))
    assert [document["kind"] for document in documents[:3]] == ["ServiceAccount", "Role", "RoleBinding"]
    assert {document["metadata"]["namespace"] for document in documents} == {"ml"}
