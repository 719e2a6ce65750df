"""A step as a process: exit code, termination message, log, and SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil

from odahu_argo.contract import CheckoutSpec, DownloadSpec
from tests.servers.git import Origin
from tests.servers.handlers import serving_by
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner


def test_success_exits_with_0_without_message(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    ended = step_runner.run_process(CheckoutSpec("code"))
    assert (ended.code, ended.message) == (0, "")


def test_user_error_exits_with_2_and_writes_message(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    ended = step_runner.run_process(CheckoutSpec("code", "nowhere"))
    assert ended.code == 2
    assert ended.message.startswith("the repository has no branch, tag or commit 'nowhere'\n  hint: similar")
    assert ended.log.splitlines()[-2:] == [
        "checkout: failed: the repository has no branch, tag or commit 'nowhere'",
        "checkout:   hint: similar branches and tags: develop, feature/wine-2, main, v1, v1-light",
    ]


def test_service_fault_exits_with_3(step_runner: StepRunner) -> None:
    step_runner.connect("code", {"uri": f"https://127.0.0.1:{free_port()}/x"})
    assert step_runner.run_process(CheckoutSpec("code")).code == 3


def test_missing_connection_is_named(step_runner: StepRunner) -> None:
    ended = step_runner.run_process(DownloadSpec("wine-data", "in/"))
    assert ended.code == 2
    assert "the Secret of connection 'wine-data' must exist" in ended.message


def test_unwritable_message_does_not_hide_error(step_runner: StepRunner) -> None:
    step_runner.workspace.message.mkdir()
    ended = step_runner.run_process(CheckoutSpec("code"))
    assert ended.code == 2
    assert "connection 'code' is not mounted" in ended.log


def test_long_message_is_truncated(step_runner: StepRunner) -> None:
    ended = step_runner.run_process(DownloadSpec("x" * 1500, "in/"))
    assert len(ended.message.encode()) == 2000


def test_invalid_specification_is_user_error(step_runner: StepRunner) -> None:
    for text in ("", "{", '{"unknown": 1}', "{}"):
        ended = step_runner.run_process(CheckoutSpec("code"), ODAHU_ARGO_STEP=text)
        assert ended.code == 2, text
        assert "ODAHU_ARGO_STEP" in ended.message


def test_unknown_step_prints_usage() -> None:
    command = [sys.executable, "-m", "odahu_argo.steps", "bake"]
    ended = subprocess.run(command, capture_output=True, text=True, env={"ODAHU_ARGO_MESSAGE": "/nowhere/x"})
    assert ended.returncode == 2
    assert "checkout|download|train|package" in ended.stdout


def test_checkout_imports_no_heavy_packages(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    ended = step_runner.run_process(CheckoutSpec("code"), PYTHONPROFILEIMPORTTIME="1")
    imported = [line.rpartition("|")[2].strip() for line in ended.log.splitlines() if line.startswith("import time:")]
    assert "odahu_argo.steps.git" in imported
    assert not {"mlflow", "boto3", "pandas", "yaml", "pydantic"} & set(imported)


def test_sigterm_stops_training_program_and_marks_run_as_killed(
    project: StepRunner, tracking: Tracking, tmp_path: Path
) -> None:
    spec = entry_point("sleep", pid=str(tmp_path / "pid"))
    step = subprocess.Popen(
        project.command(spec),
        env=project.environment(spec),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 240
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < until and step.poll() is None
        time.sleep(0.1)
    sleeping = psutil.Process(int((tmp_path / "pid").read_text()))
    step.send_signal(signal.SIGTERM)
    log, _ = step.communicate(timeout=60)
    assert step.returncode == 143
    assert "sleeping" in log
    assert log.splitlines()[-1] == "train: stopped by SIGTERM"
    assert not sleeping.is_running() or sleeping.status() == psutil.STATUS_ZOMBIE
    assert tracking.client.get_run(project.workspace.read_result("run-id")).info.status == "KILLED"


class SlowS3(BaseHTTPRequestHandler):
    """An S3 server with one object of 5 MB that takes minutes to download."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5000000")
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.send_header("ETag", '"etag"')
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(OSError):
            for _ in range(500):
                self.wfile.write(b"x" * 10_000)
                time.sleep(0.1)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def wait_for_part(step_runner: StepRunner) -> None:
    until = time.monotonic() + 120
    while not list(step_runner.repository.glob("in/.*.partial")):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_sigterm_stops_download_and_removes_partial_file(step_runner: StepRunner) -> None:
    step_runner.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(SlowS3) as endpoint:
        keys = {"keyID": "k", "keySecret": "s", "endpoint": endpoint}
        step_runner.connect("data", {"type": "s3", "uri": "s3://bucket/large.bin", **keys})
        step = subprocess.Popen(step_runner.command(spec), env=step_runner.environment(spec), stdout=subprocess.DEVNULL)
        wait_for_part(step_runner)
        step.send_signal(signal.SIGTERM)
        assert step.wait(timeout=15) == 143
    assert list((step_runner.repository / "in").iterdir()) == []


def test_next_attempt_removes_partial_file_of_killed_download(step_runner: StepRunner, bucket: Bucket) -> None:
    step_runner.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(SlowS3) as endpoint:
        step_runner.connect("data", bucket.fields("large.bin", endpoint=endpoint))
        step = subprocess.Popen(step_runner.command(spec), env=step_runner.environment(spec), stdout=subprocess.DEVNULL)
        wait_for_part(step_runner)
        step.kill()
        step.wait()
    folder = step_runner.repository / "in"
    assert [path.suffix for path in folder.iterdir()] == [".partial"]
    bucket.put_all({"other.csv": b"other"})
    (step_runner.workspace.connections / "data/uri").write_text(bucket.url("other.csv"))
    (step_runner.workspace.connections / "data/endpoint").write_text(bucket.endpoint)
    step_runner.run(spec)
    assert [path.name for path in folder.iterdir()] == ["other.csv"]
