"""The step `package`: content, name and reproducibility of the artifact."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from odahu_argo.contract import DIRECTORY, EXIT_OK, ZIP, spec_from_json, spec_to_json
from odahu_argo.errors import UserError
from tests.archives import read_tar
from tests.servers.disk import SIZE
from tests.servers.mlflow_project import PACKAGE, Tracking, Trained
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner


@pytest.fixture
def after_training(step_runner: StepRunner, trained: Trained, tracking: Tracking) -> StepRunner:
    """A workspace in which the step train has ended."""
    step_runner.workspace.write_result("run-id", trained.run.info.run_id)
    shutil.copytree(trained.step_runner.workspace.model, step_runner.workspace.model)
    return step_runner


@pytest.fixture(scope="session")
def artifact(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the training, created by a process as in a pod."""
    folder = tmp_path_factory.mktemp("artifact")
    step_runner = StepRunner(replace(trained.step_runner.workspace, connections=folder / "connections"))
    step_runner.connect("out", {"type": "file", "uri": (folder / "store").as_uri()})
    ended = step_runner.run_process(PACKAGE, **trained.tracking.variables)
    if ended.code != 0:
        raise RuntimeError(ended.log)
    (found,) = (folder / "store").iterdir()
    return found


@pytest.fixture
def unpacked(artifact: Path, tmp_path: Path) -> Path:
    with tarfile.open(artifact) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    return tmp_path / "unpacked"


def test_project_file_matches_odahu(unpacked: Path, trained: Trained) -> None:
    import mlflow

    assert yaml.safe_load((unpacked / "odahuflow.project.yaml").read_text()) == {
        "odahuflowVersion": "1.0",
        "binaries": {"type": "python", "dependencies": "conda", "conda_path": "odahuflow_model/conda.yaml"},
        "model": {"name": "wine", "version": "1.0", "workDir": "odahuflow_model", "entrypoint": "entrypoint"},
        "toolchain": {"name": "mlflow", "version": mlflow.__version__},
        "output": {"run_id": trained.run.info.run_id},
    }


def test_artifact_contains_model_samples_and_entry_point(unpacked: Path) -> None:
    names = {path.name for path in (unpacked / "odahuflow_model").iterdir()}
    assert {"MLmodel", "conda.yaml", "entrypoint.py", "head_input.pkl", "head_output.pkl"} <= names


CALL = """
import json, sys
import entrypoint
form = entrypoint.init()
matrix, columns = entrypoint.predict_on_matrix([[2.0, 1.5], [1.0, 0.5]], ["sugar", "acid"])
alone = [name for name in sys.modules if name.startswith("odahu")]
print(json.dumps([form, matrix.tolist(), columns, entrypoint.info(), alone]))
"""


def test_entry_point_runs_without_odahu_argo(unpacked: Path) -> None:
    called = subprocess.run(
        [sys.executable, "-c", CALL], cwd=unpacked / "odahuflow_model", capture_output=True, text=True, check=True
    )
    form, matrix, columns, (inputs, outputs), alone = yaml.safe_load(called.stdout)
    assert (form, matrix, columns, alone) == ("matrix", [[6.0], [6.0]], ["quality"], [])
    assert inputs == [
        {"name": "acid", "type": "number", "example": 0, "required": True},
        {"name": "sugar", "type": "integer", "example": 0, "required": True},
    ]
    assert outputs == [{"name": "quality", "type": "integer", "example": 0, "required": True}]


def test_artifact_name_is_rendered_from_template(artifact: Path, trained: Trained) -> None:
    assert re.fullmatch(r"wine-1\.0-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\.zip", artifact.name)
    assert trained.step_runner.workspace.read_result("artifact-name") == artifact.name


def test_uploads_below_path_of_connection(
    after_training: StepRunner, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "progress"))
    after_training.connect("out", bucket.fields("team/models/"))
    after_training.run(replace(PACKAGE, artifact_name_template="{{ .Name }}.zip"))
    assert bucket.keys() == ["team/models/wine.zip"]
    assert (tmp_path / "progress").read_text() == "100/100"


def test_artifact_is_reproducible(after_training: StepRunner, bucket: Bucket, artifact: Path) -> None:
    after_training.connect("out", bucket.fields())
    after_training.run(PACKAGE)
    (key,) = bucket.keys()
    assert bucket.get(key) == artifact.read_bytes()


def test_further_attempt_uses_same_name(after_training: StepRunner, bucket: Bucket) -> None:
    after_training.connect("out", bucket.fields())
    after_training.run(PACKAGE)
    after_training.run(PACKAGE)
    assert bucket.keys() == [after_training.workspace.read_result("artifact-name")]


def test_upload_uses_no_disk_space(step_runner: StepRunner, bucket: Bucket, small_disk: Path) -> None:
    on_disk = StepRunner(replace(step_runner.workspace, root=small_disk))
    on_disk.connect("out", bucket.fields())
    on_disk.workspace.write_result("run-id", "1" * 32)
    on_disk.workspace.output.mkdir()
    (on_disk.workspace.output / "weights").write_bytes(content := os.urandom(SIZE * 9 // 10))

    assert on_disk.run_process(replace(PACKAGE, trainer="mlflow-project")).code == EXIT_OK
    assert read_tar(bucket.get(str(on_disk.workspace.read_result("artifact-name"))))["weights"] == content


def test_missing_bucket_is_user_error(after_training: StepRunner, bucket: Bucket) -> None:
    after_training.connect("out", {**bucket.fields(), "uri": "s3://nowhere-at-all/x"})
    with pytest.raises(UserError, match="the bucket does not exist"):
        after_training.run(PACKAGE)


def test_package_without_training_is_user_error(step_runner: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match="run the step train first"):
        step_runner.run(PACKAGE)


def _without_server(trained: Trained, tmp_path: Path) -> tuple[StepRunner, dict[str, str]]:
    """A copy of the workspace after the training, and the address of a tracking server that is not running."""
    workspace = replace(
        trained.step_runner.workspace, root=tmp_path / "workspace", connections=tmp_path / "connections"
    )
    shutil.copytree(trained.step_runner.workspace.root, workspace.root, ignore=shutil.ignore_patterns("completed"))
    step_runner = StepRunner(workspace)
    step_runner.connect("out", {"type": "file", "uri": (tmp_path / "store").as_uri()})
    away = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    return step_runner, {**trained.tracking.variables, **away}


def test_packages_local_model_without_tracking_server(trained: Trained, artifact: Path, tmp_path: Path) -> None:
    step_runner, variables = _without_server(trained, tmp_path)
    ended = step_runner.run_process(PACKAGE, **variables)
    assert ended.code == EXIT_OK, ended.log
    [made] = (tmp_path / "store").iterdir()
    assert made.read_bytes() == artifact.read_bytes()


def test_training_without_model_is_user_error(after_training: StepRunner, tmp_path: Path) -> None:
    shutil.rmtree(after_training.workspace.model)
    after_training.connect("out", {"type": "file", "uri": tmp_path.as_uri()})
    with pytest.raises(UserError, match=r"the training's model directory .* no longer exists"):
        after_training.run(PACKAGE)


@pytest.fixture
def stored(after_training: StepRunner) -> Path:
    """The directory of another model in the workspace."""
    folder = after_training.workspace.model
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "MLmodel").write_text("mlflow_version: 2.0.1\nflavors: {python_function: {env: conda.yaml}}\n")
    (folder / "conda.yaml").write_text("dependencies: []\n")
    return folder


def test_packaging_does_not_change_local_model(after_training: StepRunner, stored: Path, bucket: Bucket) -> None:
    (stored / "entrypoint.py").write_text("own = True\n")
    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    after_training.connect("out", bucket.fields())
    after_training.run(PACKAGE)
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before
    files = read_tar(bucket.get(str(after_training.workspace.read_result("artifact-name"))))
    assert files["odahuflow_model/conda.yaml"] == before["conda.yaml"]
    assert b"def init()" in files["odahuflow_model/entrypoint.py"]


def test_link_in_model_cannot_read_secrets(after_training: StepRunner, stored: Path, bucket: Bucket) -> None:
    after_training.connect("out", bucket.fields())
    (stored / "weights").symlink_to(after_training.workspace.connections / "out" / "keySecret")
    with pytest.raises(UserError, match="odahuflow_model/weights of the model is neither a file nor a symbolic link"):
        after_training.run(PACKAGE)
    assert bucket.keys() == []


def test_rejects_connections_as_model(after_training: StepRunner, stored: Path, bucket: Bucket) -> None:
    after_training.connect("model", bucket.fields())
    shutil.rmtree(stored)
    stored.symlink_to(after_training.workspace.connections)
    with pytest.raises(UserError, match=r"the training's model directory .* no longer exists"):
        after_training.run(replace(PACKAGE, connection="model"))
    assert bucket.keys() == []


def test_entries_are_sorted_and_owned_by_root(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in entries} == {(315532800, 0, 0, "")}
    assert {entry.mode for entry in entries if entry.isfile()} == {0o644}


def test_zip_for_odahu_1_0(after_training: StepRunner, bucket: Bucket, unpacked: Path) -> None:
    after_training.connect("out", bucket.fields())
    after_training.run(replace(PACKAGE, artifact_format=ZIP))
    [key] = bucket.keys()
    with zipfile.ZipFile(io.BytesIO(bucket.get(key))) as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    files = [file for file in unpacked.rglob("*") if file.is_file()]
    assert zipped == {file.relative_to(unpacked).as_posix(): file.read_bytes() for file in files}


def test_specification_of_an_older_compiler_gives_a_zip() -> None:
    """An image can be newer than the compiler, which then promised a zip."""
    text = spec_to_json(replace(PACKAGE, artifact_format=ZIP))
    assert "artifact_format" not in text
    assert spec_from_json("package", text) == replace(PACKAGE, artifact_format=ZIP)


@pytest.fixture
def folder(after_training: StepRunner, tmp_path: Path) -> Path:
    """The local folder that models are written to."""
    after_training.connect("out", {"type": "file", "uri": (tmp_path / "models").as_uri()})
    return tmp_path / "models"


TO_DIRECTORY = replace(PACKAGE, artifact_name_template="{{ .Name }}-{{ .Version }}.zip", artifact_format=DIRECTORY)


def test_directory_is_named_without_zip(after_training: StepRunner, folder: Path, unpacked: Path) -> None:
    after_training.run(TO_DIRECTORY)
    assert [path.name for path in folder.iterdir()] == ["wine-1.0"]
    assert after_training.workspace.read_result("artifact-name") == "wine-1.0"
    diff = ["diff", "--recursive", folder / "wine-1.0", unpacked]
    assert subprocess.run(diff, capture_output=True, text=True).stdout == ""


def test_directory_replaces_an_earlier_model_only(after_training: StepRunner, folder: Path) -> None:
    (folder / "wine-1.0").mkdir(parents=True)
    (folder / "wine-1.0" / "notes.txt").write_text("important")
    with pytest.raises(UserError, match=r"wine-1\.0 exists and is not a trained model"):
        after_training.run(TO_DIRECTORY)
    assert (folder / "wine-1.0" / "notes.txt").read_text() == "important"
    (folder / "wine-1.0" / "odahuflow.project.yaml").write_text("name: wine\n")
    after_training.run(TO_DIRECTORY)
    assert not (folder / "wine-1.0" / "notes.txt").exists()
    assert (folder / "wine-1.0" / "odahuflow_model" / "MLmodel").is_file()


JUDGE = """
import json, sys
from pathlib import Path
from odahuflow.sdk.gppi.executor import GPPITrainedModelBinary
from odahuflow.sdk.local.training import list_local_trainings

folder = Path(sys.argv[1])
[name] = list_local_trainings()
model = GPPITrainedModelBinary(str(folder / name), use_current_env=True)
model.self_check()
request = folder.parent / "request.json"
request.write_text(json.dumps({"columns": ["sugar", "acid"], "data": [[2.0, 1.5]]}))
model.predict(str(request), str(folder.parent), "results.json")
print(json.dumps([name, json.loads((folder.parent / "results.json").read_text())]))
"""
"""The functions behind `odahuflowctl local train list` and `odahuflowctl gppi test` and `predict`."""


def test_odahu_sdk_accepts_the_directory(after_training: StepRunner, folder: Path, sdk: Path) -> None:
    after_training.run(TO_DIRECTORY)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PYTHONPATH": str(sdk), "PATH": programs, "LOCAL_MODEL_OUTPUT_DIR": str(folder)}
    command = [sys.executable, "-c", JUDGE, str(folder)]
    completed = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    name, prediction = json.loads(completed.stdout.splitlines()[-1])
    assert name == "wine-1.0"
    assert prediction == {"prediction": [[6.0]], "columns": ["quality"]}
