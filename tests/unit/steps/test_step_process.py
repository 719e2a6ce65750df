"""A step as a pod runs it: exit code, termination message, log, and its end on a signal."""

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


def test_a_step_that_went_well_exits_with_0_and_leaves_no_message(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code"))
    assert (ended.code, ended.message) == (0, "")


def test_a_users_mistake_exits_with_2_and_its_reason_and_hint_are_the_message(
    workplace: Workplace, origin: Origin
) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code", "nowhere"))
    assert ended.code == 2
    assert ended.message.startswith("the repository has no branch, tag or commit 'nowhere'\n  hint: similar")
    assert ended.log.splitlines()[-2:] == [
        "checkout: failed: the repository has no branch, tag or commit 'nowhere'",
        "checkout:   hint: similar branches and tags: develop, feature/wine-2, main, v1, v1-light",
    ]


def test_a_fault_exits_with_3(workplace: Workplace) -> None:
    workplace.connect("code", {"uri": f"https://127.0.0.1:{free_port()}/x"})
    assert workplace.run_process(CheckoutSpec("code")).code == 3


def test_a_missing_connection_is_told_by_name(workplace: Workplace) -> None:
    ended = workplace.run_process(DownloadSpec("wine-data", "in/"))
    assert ended.code == 2
    assert "the Secret of connection 'wine-data' must exist" in ended.message


def test_a_message_that_cannot_be_written_does_not_hide_the_error(workplace: Workplace) -> None:
    workplace.workspace.message.mkdir()
    ended = workplace.run_process(CheckoutSpec("code"))
    assert ended.code == 2
    assert "connection 'code' is not mounted" in ended.log


def test_a_long_reason_is_cut_to_what_kubernetes_keeps(workplace: Workplace) -> None:
    ended = workplace.run_process(DownloadSpec("x" * 1500, "in/"))
    assert len(ended.message.encode()) == 2000


def test_a_missing_or_foreign_specification_is_told(workplace: Workplace) -> None:
    for text in ("", "{", '{"unknown": 1}', "{}"):
        ended = workplace.run_process(CheckoutSpec("code"), ODAHU_ARGO_STEP=text)
        assert ended.code == 2, text
        assert "ODAHU_ARGO_STEP" in ended.message


def test_an_unknown_step_is_told() -> None:
    command = [sys.executable, "-m", "odahu_argo.steps", "bake"]
    ended = subprocess.run(command, capture_output=True, text=True, env={"ODAHU_ARGO_MESSAGE": "/nowhere/x"})
    assert ended.returncode == 2
    assert "checkout|download|train|package" in ended.stdout


def test_a_checkout_imports_neither_mlflow_nor_boto(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": origin.folder.as_uri()})
    ended = workplace.run_process(CheckoutSpec("code"), PYTHONPROFILEIMPORTTIME="1")
    imported = [line.rpartition("|")[2].strip() for line in ended.log.splitlines() if line.startswith("import time:")]
    assert "odahu_argo.steps.git" in imported
    assert not {"mlflow", "boto3", "pandas", "yaml", "pydantic"} & set(imported)


def test_sigterm_ends_the_training_program_and_the_step_and_marks_the_run(
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
    until = time.monotonic() + 60
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


class _Slow(BaseHTTPRequestHandler):
    """An S3 object of 5 MB that takes minutes to come."""

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
    until = time.monotonic() + 30
    while not list(workplace.repository.glob("in/.*.partial")):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_sigterm_ends_a_download_at_once_and_leaves_no_part_of_a_file(workplace: Workplace) -> None:
    workplace.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(_Slow) as endpoint:
        keys = {"keyID": "k", "keySecret": "s", "endpoint": endpoint}
        workplace.connect("data", {"type": "s3", "uri": "s3://bucket/large.bin", **keys})
        step = subprocess.Popen(workplace.command(spec), env=workplace.environment(spec), stdout=subprocess.DEVNULL)
        wait_for_part(workplace)
        step.send_signal(signal.SIGTERM)
        assert step.wait(timeout=15) == 143
    assert list((workplace.repository / "in").iterdir()) == []


def test_what_a_killed_download_left_is_removed_by_the_next_attempt(workplace: Workplace, bucket: Bucket) -> None:
    workplace.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(_Slow) as endpoint:
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
