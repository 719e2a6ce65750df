"""`odahu-argo local train run` with the real steps: a git repository, an S3 server, MLflow, and a zip in a folder."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.commands import odahu_argo
from tests.servers.git import git
from tests.servers.mlflow_project import write_project
from tests.servers.s3 import KEY_ID, KEY_SECRET, Bucket
from tests.servers.step_runner import StepRunner


@dataclass(frozen=True)
class Desk:
    """Manifests of a training whose data is in a bucket, its repository, and the home of the local engine."""

    folder: Path
    commit: str
    bucket: Bucket

    @property
    def home(self) -> Path:
        return self.folder / "ada's ü home"

    def manifests(self, **spec: Any) -> Path:
        training = {
            "kind": "ModelTraining",
            "id": "wine",
            "spec": {
                "model": {"name": "wine", "version": "1.0"},
                "toolchain": "mlflow",
                "vcsName": "code",
                "workDir": "project",
                "data": [{"connName": "wine-data", "localPath": "project/"}],
                "hyperParameters": {"data": "project/data.csv"},
                "envs": [{"name": "GREETING", "value": "hello {{ x }} $(y)"}],
                **spec,
            },
        }
        code = {"type": "git", "uri": (self.folder / "repository").as_uri(), "reference": "main"}
        encoded = base64.b64encode(KEY_SECRET.encode()).decode()
        data = self.bucket.fields("data/", keyID=KEY_ID, keySecret=encoded)
        connections = [{"kind": "Connection", "id": "code", "spec": code}]
        connections.append({"kind": "Connection", "id": "wine-data", "spec": data})
        file = self.folder / "manifests.yaml"
        file.write_text(yaml.safe_dump_all([training, *connections]))
        return file


@pytest.fixture
def desk(step_runner: StepRunner, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    repository = tmp_path / "repository"
    write_project(repository)
    (repository / "project" / "data.csv").unlink()
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "the project")
    desk = Desk(tmp_path, git(repository, "rev-parse", "HEAD"), bucket)
    monkeypatch.setenv("ODAHU_ARGO_HOME", str(desk.home))
    return desk


def test_a_training_that_lacked_its_data_is_resumed_to_a_zip_in_a_folder(desk: Desk) -> None:
    run = ("local", "train", "run", "-f", desk.manifests(), "--output-dir", desk.folder / "models", "-o", "json")
    failed = odahu_argo(*run)
    assert failed.code == 4, failed.err
    assert "training 'wine' failed in download-wine-data: " in failed.err

    desk.bucket.put_all({"data/data.csv": b"acid,sugar,quality\n1.5,2,5\n2.5,3,6\n0.5,1,7\n"})
    ended = odahu_argo(*run, "--resume")
    assert ended.code == 0, ended.err
    assert "checkout  succeeded in the earlier run" in ended.err
    assert "train | greeting: hello {{ x }} $(y)" in ended.err
    shown = json.loads(ended.out)
    assert shown["status"]["state"] == "succeeded"
    [artifact] = shown["status"]["artifacts"]
    assert artifact["commitID"] == desk.commit
    archive = desk.folder / "models" / artifact["artifactName"]
    assert shown["status"]["local"]["artifactUri"] == archive.as_uri()
    with zipfile.ZipFile(archive) as content:
        project = yaml.safe_load(content.read("odahuflow.project.yaml"))
    assert project["output"]["run_id"] == artifact["runId"]
    assert json.loads(odahu_argo("local", "train", "get", "--id", "wine", "-o", "json").out) == shown
    assert "mean" in odahu_argo("local", "train", "logs", "--id", "wine", "--step", "train").out
    _require_absent(desk.home, KEY_SECRET)


def _require_absent(folder: Path, secret: str) -> None:
    for file in (file for file in folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert secret.encode() not in content, file
        assert base64.b64encode(secret.encode()) not in content, file


def test_ctrl_c_ends_the_training_program_and_all_it_has_started(desk: Desk) -> None:
    desk.bucket.put_all({"data/data.csv": b"acid,sugar,quality\n1,2,5\n"})
    number = desk.folder / "pid"
    manifests = desk.manifests(entrypoint="sleep", hyperParameters={"pid": str(number)})
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "-f", str(manifests)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (number.exists() and number.read_text().strip()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert not _runs(int(number.read_text()))
    shown = json.loads(odahu_argo("local", "train", "get", "--id", "wine", "-o", "json").out)
    assert (shown["status"]["state"], shown["status"]["reason"]) == ("failed", "interrupted by the user")


def _runs(number: int) -> bool:
    """A process that has ended stays in the list until its parent, here process 1, takes notice."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_two_trainings_may_begin_at_once_where_mlflow_was_never_used(desk: Desk) -> None:
    desk.bucket.put_all({"data/data.csv": b"acid,sugar,quality\n1,2,5\n2,3,6\n"})
    first = desk.manifests()
    second = first.with_name("second.yaml")
    second.write_text(first.read_text().replace("id: wine\n", "id: second\n"))
    assert "id: second" in second.read_text()
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "-f"]
    processes = [
        subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for file in (first, second)
    ]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said


def test_code_from_a_bucket_trains_as_code_from_git_does(desk: Desk) -> None:
    project = desk.folder / "repository" / "project"
    desk.bucket.put_all({f"code/project/{file.name}": file.read_bytes() for file in project.iterdir()})
    desk.bucket.put_all({"data/data.csv": b"acid,sugar,quality\n1.5,2,5\n2.5,3,6\n0.5,1,7\n"})
    source = {"objectStorage": {"connection": "wine-data", "path": "code"}}
    manifests = desk.manifests(algorithmSource=source, vcsName=None)
    ran = odahu_argo("local", "train", "run", "-f", manifests, "--output-dir", desk.folder / "models", "-o", "json")
    assert ran.code == 0, ran.err
    [artifact] = json.loads(ran.out)["status"]["artifacts"]
    assert artifact["commitID"] == ""
    assert (desk.folder / "models" / artifact["artifactName"]).is_file()
