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
from tests.servers.workplace import Workplace


def test_success_exits_with_0_without_message(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code"))
    assert (ended.code, ended.message) == (0, "")


def test_user_error_exits_with_2_and_writes_message(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code", "nowhere"))
    assert ended.code == 2
    assert ended.message.startswith("the repository has no branch, tag or commit 'nowhere'\n  hint: similar")
    assert ended.log.splitlines()[-2:] == [
        "checkout: failed: the repository has no branch, tag or commit 'nowhere'",
        "checkout:   hint: similar branches and tags: develop, feature/wine-2, main, v1, v1-light",
    ]


def test_service_fault_exits_with_3(workplace: Workplace) -> None:
    workplace.connect("code", {"uri": f"https://127.0.0.1:{free_port()}/x"})
    assert workplace.run_process(CheckoutSpec("code")).code == 3


def test_missing_connection_is_named(workplace: Workplace) -> None:
    ended = workplace.run_process(DownloadSpec("wine-data", "in/"))
    assert ended.code == 2
    assert "the Secret of connection 'wine-data' must exist" in ended.message


def test_unwritable_message_does_not_hide_error(workplace: Workplace) -> None:
    workplace.workspace.message.mkdir()
    ended = workplace.run_process(CheckoutSpec("code"))
    assert ended.code == 2
    assert "connection 'code' is not mounted" in ended.log


def test_long_message_is_truncated(workplace: Workplace) -> None:
    ended = workplace.run_process(DownloadSpec("x" * 1500, "in/"))
    assert len(ended.message.encode()) == 2000


def test_invalid_specification_is_user_error(workplace: Workplace) -> None:
    for text in ("", "{", '{"unknown": 1}', "{}"):
        ended = workplace.run_process(CheckoutSpec("code"), ODAHU_ARGO_STEP=text)
        assert ended.code == 2, text
        assert "ODAHU_ARGO_STEP" in ended.message


def test_unknown_step_prints_usage() -> None:
    command = [sys.executable, "-m", "odahu_argo.steps", "bake"]
    ended = subprocess.run(command, capture_output=True, text=True, env={"ODAHU_ARGO_MESSAGE": "/nowhere/x"})
    assert ended.returncode == 2
    assert "checkout|download|train|package" in ended.stdout


def test_checkout_imports_no_heavy_packages(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code"), PYTHONPROFILEIMPORTTIME="1")
    imported = [line.rpartition("|")[2].strip() for line in ended.log.splitlines() if line.startswith("import time:")]
    assert "odahu_argo.steps.git" in imported
    assert not {"mlflow", "boto3", "pandas", "yaml", "pydantic"} & set(imported)


def test_sigterm_stops_training_program_and_marks_run_as_killed(
    project: Workplace, tracking: Tracking, tmp_path: Path
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


def wait_for_part(workplace: Workplace) -> None:
    until = time.monotonic() + 120
    while not list(workplace.repository.glob("in/.*.partial")):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_sigterm_stops_download_and_removes_partial_file(workplace: Workplace) -> None:
    workplace.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(SlowS3) as endpoint:
        keys = {"keyID": "k", "keySecret": "s", "endpoint": endpoint}
        workplace.connect("data", {"type": "s3", "uri": "s3://bucket/large.bin", **keys})
        step = subprocess.Popen(workplace.command(spec), env=workplace.environment(spec), stdout=subprocess.DEVNULL)
        wait_for_part(workplace)
        step.send_signal(signal.SIGTERM)
        assert step.wait(timeout=15) == 143
    assert list((workplace.repository / "in").iterdir()) == []


def test_next_attempt_removes_partial_file_of_killed_download(workplace: Workplace, bucket: Bucket) -> None:
    workplace.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(SlowS3) as endpoint:
        workplace.connect("data", bucket.fields("large.bin", endpoint=endpoint))
        step = subprocess.Popen(workplace.command(spec), env=workplace.environment(spec), stdout=subprocess.DEVNULL)
        wait_for_part(workplace)
        step.kill()
        step.wait()
    folder = workplace.repository / "in"
    assert [path.suffix for path in folder.iterdir()] == [".partial"]
    bucket.put_all({"other.csv": b"other"})
    (workplace.workspace.connections / "data/uri").write_text(bucket.url("other.csv"))
    (workplace.workspace.connections / "data/endpoint").write_text(bucket.endpoint)
    workplace.run(spec)
    assert [path.name for path in folder.iterdir()] == ["other.csv"]
