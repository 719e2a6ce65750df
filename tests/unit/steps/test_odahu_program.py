"""Toolchains that are programs with ODAHU's protocol: `ENTRYPOINT --verbose --mt mt.json --target DIRECTORY`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from odahu_argo.contract import PackageSpec, TrainSpec
from odahu_argo.errors import UserError
from tests.servers.step_runner import StepRunner

PROGRAM = """\
#!/bin/sh
# Like ODAHU's training-data-helper: copies what mt.json names to the target directory.
test "$1 $2 $4" = "--verbose --mt --target" || exit 9
pwd > "$5/where"
cp "$3" "$5/mt.json"
echo "$GREETING" > "$5/greeting"
case "$MODE" in
  fail) echo sorry; exit 3 ;;
  silent) ;;
  *) echo "output: {run_id: run-7}" > "$5/odahuflow.project.yaml" ;;
esac
"""
MANIFEST = {"modelTraining": {"id": "wine", "spec": {"hyperParameters": {"x": "1"}}}}


@pytest.fixture
def program(step_runner: StepRunner, tmp_path: Path) -> TrainSpec:
    """The specification of a training with the program, in a workspace with an empty checkout."""
    step_runner.repository.mkdir()
    file = tmp_path / "toolchain's program"
    file.write_text(PROGRAM)
    file.chmod(0o755)
    environment = {"GREETING": "it's $(me) {{x}}"}
    return TrainSpec("wine", "wine", "1.0", "./", "main", {}, environment, trainer=str(file), manifest=MANIFEST)


def packed(step_runner: StepRunner, spec: TrainSpec, tmp_path: Path) -> Path:
    step_runner.connect("out", {"type": "file", "uri": (tmp_path / "store").as_uri()})
    package = PackageSpec("wine", "wine", "1.0", "own", "{{ .Name }}.zip", "out", trainer=spec.trainer)
    step_runner.run(package)
    return step_runner.workspace.output


def test_program_gets_description_and_variables(step_runner: StepRunner, program: TrainSpec, tmp_path: Path) -> None:
    step_runner.run(program)
    output = packed(step_runner, program, tmp_path)
    assert json.loads((output / "mt.json").read_text()) == MANIFEST
    assert (output / "greeting").read_text() == "it's $(me) {{x}}\n"
    assert (output / "where").read_text() == f"{step_runner.repository}\n"
    assert step_runner.workspace.read_result("run-id") == "run-7"
    assert (tmp_path / "store" / "wine.zip").is_file()


def test_failed_program_is_user_error(step_runner: StepRunner, program: TrainSpec) -> None:
    with pytest.raises(UserError, match="program exited with status 3"):
        step_runner.run(replace(program, environment={"MODE": "fail"}))


def test_missing_program_is_user_error(step_runner: StepRunner, program: TrainSpec) -> None:
    with pytest.raises(UserError, match="the image has no program /nowhere/at-all"):
        step_runner.run(replace(program, trainer="/nowhere/at-all"))


def test_missing_project_file_is_user_error(step_runner: StepRunner, program: TrainSpec) -> None:
    with pytest.raises(UserError, match=r"left no readable odahuflow\.project\.yaml"):
        step_runner.run(replace(program, environment={"MODE": "silent"}))


def test_prepared_program_runs_without_odahu_argo(step_runner: StepRunner, program: TrainSpec, tmp_path: Path) -> None:
    """In a pod, the init container prepares, the training's image runs start.sh, and the step package reads the run ID."""
    assert step_runner.prepare(program).code == 0
    assert step_runner.start(PATH="/usr/bin:/bin").code == 0
    packed(step_runner, program, tmp_path)
    assert step_runner.workspace.read_result("run-id") == "run-7"
    assert yaml.safe_load((step_runner.workspace.output / "odahuflow.project.yaml").read_text())


def test_start_writes_termination_message(step_runner: StepRunner, program: TrainSpec) -> None:
    spec = replace(program, environment={"MODE": "fail"})
    assert step_runner.prepare(spec).code == 0
    ended = step_runner.start()
    assert ended.code == 2
    assert "exited with status 3\n  hint: see its output above" in ended.message
    assert "sorry\ntrain: failed: the program" in ended.log


def test_image_without_python_is_user_error(step_runner: StepRunner, program: TrainSpec, tmp_path: Path) -> None:
    assert step_runner.prepare(program).code == 0
    (step_runner.workspace.root / "launch" / "program").unlink()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "cat"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    ended = step_runner.start(PATH=str(programs))
    assert ended.code == 2
    assert "the image has no Python 3.6 or newer" in ended.message
