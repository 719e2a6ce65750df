"""`odahu-argo local train run` with real steps, a git repository, an S3 server and MLflow."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from odahu_argo.local.home import Home
from tests.commands import odahu_argo
from tests.local_engine import wait_for_exit, wait_until
from tests.local_project import LocalProject
from tests.servers.s3 import KEY_SECRET

DATA = b"acid,sugar,quality\n1.5,2,5\n2.5,3,6\n0.5,1,7\n"


def test_resume_after_missing_data_writes_the_model_to_a_folder(local_project: LocalProject) -> None:
    models = local_project.folder / "models"
    run = ("local", "train", "run", "-f", local_project.manifests(), "--output-dir", models, "-o", "json")
    failed = odahu_argo(*run)
    assert failed.code == 4, failed.err
    assert "training 'wine' failed in download-wine-data: " in failed.err

    local_project.bucket.put_all({"data/data.csv": DATA})
    resumed = odahu_argo(*run, "--resume")
    assert resumed.code == 0, resumed.err
    assert "checkout  succeeded in the earlier run" in resumed.err
    assert "train | greeting: hello {{ x }} $(y)" in resumed.err
    training = json.loads(resumed.out)
    assert training["status"]["state"] == "succeeded"
    [artifact] = training["status"]["artifacts"]
    assert artifact["commitID"] == local_project.commit
    model = models / artifact["artifactName"]
    assert training["status"]["local"]["artifactUri"] == model.as_uri()
    project = yaml.safe_load((model / "odahuflow.project.yaml").read_text())
    assert project["output"]["run_id"] == artifact["runId"]
    assert json.loads(odahu_argo("local", "train", "get", "--id", "wine", "-o", "json").out) == training
    assert "mean" in odahu_argo("local", "train", "logs", "--id", "wine", "--step", "train").out
    assert_absent(KEY_SECRET, local_project.home)


def assert_absent(secret: str, folder: Path) -> None:
    for file in (file for file in folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert secret.encode() not in content, file
        assert base64.b64encode(secret.encode()) not in content, file


def test_ctrl_c_terminates_the_training_program_and_its_children(
    local_project: LocalProject, prepare_home: Callable[[Path], Home]
) -> None:
    prepare_home(local_project.home)
    local_project.bucket.put_all({"data/data.csv": DATA})
    pid_file = local_project.folder / "pid"
    manifests = local_project.manifests(entrypoint="sleep", hyperParameters={"pid": str(pid_file)})
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "-f", manifests]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: process.poll() is not None or (pid_file.exists() and pid_file.read_text().strip()), 150)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    run = wait_for_exit(process)
    assert run.code == 130, run.err
    assert not is_running(int(pid_file.read_text()))
    training = json.loads(odahu_argo("local", "train", "get", "--id", "wine", "-o", "json").out)
    assert (training["status"]["state"], training["status"]["reason"]) == ("failed", "interrupted by the user")


def is_running(pid: int) -> bool:
    """Return whether a process runs. An exited process whose parent, here process 1, has not collected it does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_concurrent_first_runs_share_a_new_mlflow_store(local_project: LocalProject) -> None:
    local_project.bucket.put_all({"data/data.csv": DATA})
    first = local_project.manifests()
    second = first.with_name("second.yaml")
    second.write_text(first.read_text().replace("id: wine\n", "id: second\n"))
    assert "id: second" in second.read_text()
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "-f"]
    processes = [
        subprocess.Popen([*command, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for file in (first, second)
    ]
    outputs = [process.communicate(timeout=250)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs


def test_trains_code_from_a_bucket(local_project: LocalProject, prepare_home: Callable[[Path], Home]) -> None:
    prepare_home(local_project.home)
    code = local_project.repository / "project"
    local_project.bucket.put_all({f"code/project/{file.name}": file.read_bytes() for file in code.iterdir()})
    local_project.bucket.put_all({"data/data.csv": DATA})
    source = {"objectStorage": {"connection": "wine-data", "path": "code"}}
    manifests = local_project.manifests(algorithmSource=source, vcsName=None)
    models = local_project.folder / "models"
    run = odahu_argo("local", "train", "run", "-f", manifests, "--output-dir", models, "-o", "json")
    assert run.code == 0, run.err
    [artifact] = json.loads(run.out)["status"]["artifacts"]
    assert artifact["commitID"] == ""
    assert (models / artifact["artifactName"] / "odahuflow_model").is_dir()
