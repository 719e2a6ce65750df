"""The toolchain `mlflow-project`: the artifact contains the output of the program and the static files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from odahu_argo.contract import PackageSpec, TrainSpec
from odahu_argo.errors import UserError
from tests.archives import read_tar
from tests.servers.mlflow_project import PACKAGE, Tracking
from tests.servers.step_runner import StepRunner

MLPROJECT = """\
entry_points:
  write:
    parameters: {text: string}
    command: "mkdir $ODAHUFLOW_OUTPUT_DIR/deep && echo {text} > $ODAHUFLOW_OUTPUT_DIR/deep/model.txt"
  replace: {command: "echo new > $OUTPUT_DIR/a.txt"}
  nothing: {command: "true"}
  steal: {command: "ln -s /etc/passwd $OUTPUT_DIR/a.txt"}
  steal-folder: {command: "ln -s /etc/ssl $OUTPUT_DIR/folder"}
  steal-all: {command: "rm -r $OUTPUT_DIR && ln -s /etc $OUTPUT_DIR"}
  describe: {command: "ln -s ../../outside $OUTPUT_DIR/odahuflow.project.yaml"}
  pipe: {command: "mkfifo $OUTPUT_DIR/pipe"}
"""


def spec(entry_point: str, environment: Mapping[str, str] | None = None, **hyper_parameters: str) -> TrainSpec:
    return TrainSpec(
        training_id="wine-training",
        model_name="wine",
        model_version="1.0",
        work_dir="project",
        entry_point=entry_point,
        hyper_parameters=hyper_parameters,
        environment=dict(environment or {}),
        trainer="mlflow-project",
    )


@pytest.fixture
def scripts(step_runner: StepRunner, tracking: Tracking) -> StepRunner:
    """A workspace whose checkout contains a project without a model, and a directory of static files."""
    static = step_runner.repository / "project" / "static"
    (static / "deep").mkdir(parents=True)
    (static / "a.txt").write_text("old\n")
    (static / "deep" / "b.txt").write_text("b\n")
    (step_runner.repository / "project" / "MLproject").write_text(MLPROJECT)
    return step_runner


def packed(step_runner: StepRunner, tmp_path: Path) -> dict[str, str]:
    """Run the step package and return the text of each file in the artifact."""
    step_runner.connect("out", {"type": "file", "uri": (tmp_path / "store").as_uri()})
    package: PackageSpec = replace(PACKAGE, toolchain="scripts", trainer="mlflow-project")
    step_runner.run(package)
    [file] = (tmp_path / "store").iterdir()
    return {name: content.decode() for name, content in read_tar(file).items()}


def test_artifact_contains_output_and_description(scripts: StepRunner, tmp_path: Path) -> None:
    scripts.run(spec("write", text="hello"))
    files = packed(scripts, tmp_path)
    project = yaml.safe_load(files.pop("odahuflow.project.yaml"))
    assert files == {"deep/model.txt": "hello\n"}
    assert project == {"name": "wine", "version": "1.0", "output": {"run_id": scripts.workspace.read_result("run-id")}}


def test_records_mlflow_run(scripts: StepRunner, tracking: Tracking) -> None:
    scripts.run(spec("nothing"))
    run = tracking.client.get_run(scripts.workspace.read_result("run-id"))
    assert (run.info.status, run.data.tags["training_id"]) == ("FINISHED", "wine-training")


def test_program_can_replace_static_files(scripts: StepRunner, tmp_path: Path) -> None:
    scripts.run(spec("replace", {"STATIC_ARTIFACTS_DIR": "static"}))
    files = packed(scripts, tmp_path)
    assert (files["a.txt"], files["deep/b.txt"], len(files)) == ("new\n", "b\n", 3)


def test_static_link_becomes_file(scripts: StepRunner, tmp_path: Path) -> None:
    (scripts.repository / "project" / "static" / "link").symlink_to("../MLproject")
    scripts.run(spec("nothing", {"STATIC_ARTIFACTS_DIR": "static"}))
    assert packed(scripts, tmp_path)["link"] == MLPROJECT


def test_broken_static_link_is_user_error(scripts: StepRunner) -> None:
    (scripts.repository / "project" / "static" / "link").symlink_to("nowhere")
    with pytest.raises(UserError, match="link in STATIC_ARTIFACTS_DIR 'static' cannot be copied"):
        scripts.run(spec("nothing", {"STATIC_ARTIFACTS_DIR": "static"}))


@pytest.mark.parametrize("path", ["../../elsewhere", "/etc"])
def test_rejects_static_directory_outside_repository(scripts: StepRunner, path: str) -> None:
    if path == "/etc":
        (scripts.repository / "project" / "etc").symlink_to("/etc")
        path = "etc"
    with pytest.raises(UserError, match=r"STATIC_ARTIFACTS_DIR 'project/.*' leaves the repository"):
        scripts.run(spec("nothing", {"STATIC_ARTIFACTS_DIR": path}))


def test_missing_static_directory_is_warning(scripts: StepRunner, capfd: pytest.CaptureFixture[str]) -> None:
    scripts.run(spec("nothing", {"STATIC_ARTIFACTS_DIR": "sttic"}))
    output = capfd.readouterr().out
    assert "train: warning: STATIC_ARTIFACTS_DIR: no directory 'sttic' in project\n" in output
    assert "train: warning: the program wrote no files to ODAHUFLOW_OUTPUT_DIR\n" in output


def test_removes_output_of_earlier_attempt(scripts: StepRunner, tmp_path: Path) -> None:
    scripts.run(spec("write", text="first"))
    scripts.run(spec("nothing"))
    assert list(packed(scripts, tmp_path)) == ["odahuflow.project.yaml"]


def test_packaging_can_be_repeated(scripts: StepRunner, tmp_path: Path) -> None:
    scripts.run(spec("write", text="hello"))
    first = packed(scripts, tmp_path)
    scripts.run(replace(PACKAGE, trainer="mlflow-project"))
    [file] = (tmp_path / "store").iterdir()
    assert read_tar(file) == {name: text.encode() for name, text in first.items()}


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("steal", "a.txt of the model is neither a file nor a symbolic link to a file of the model"),
        ("steal-folder", "folder of the model is neither a file nor"),
        ("steal-all", "output directory .* no longer exists"),
        ("pipe", "pipe of the model is neither a file"),
    ],
)
def test_packaging_rejects_links_of_program(
    scripts: StepRunner, tmp_path: Path, entry_point: str, message: str
) -> None:
    scripts.run(spec(entry_point))
    with pytest.raises(UserError, match=message):
        packed(scripts, tmp_path)


def test_description_is_not_written_through_link(scripts: StepRunner, tmp_path: Path) -> None:
    outside = scripts.workspace.root / "outside"
    outside.write_text("untouched")
    scripts.run(spec("describe"))
    assert "name: wine" in packed(scripts, tmp_path)["odahuflow.project.yaml"]
    assert outside.read_text() == "untouched"


def test_environment_cannot_override_output_directory(scripts: StepRunner, tmp_path: Path) -> None:
    """ODAHU's runner sets ODAHUFLOW_OUTPUT_DIR last, but not OUTPUT_DIR."""
    own = {"ODAHUFLOW_OUTPUT_DIR": "elsewhere", "OUTPUT_DIR": str(tmp_path)}
    scripts.run(spec("write", own, text="hello"))
    scripts.run(spec("replace", own))
    assert (tmp_path / "a.txt").read_text() == "new\n"
    scripts.run(spec("write", own, text="hello"))
    assert packed(scripts, tmp_path)["deep/model.txt"] == "hello\n"
