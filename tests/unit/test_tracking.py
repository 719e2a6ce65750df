"""Runs read from a real MLflow server and database, and the handling of slow, unreachable and misbehaving servers."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.mlflow_files import file_of_run, ui_command
from odahu_argo.tracking import NOT_YET, MlflowRun, NoRun, RunCache, TrackingDatabase, TrackingServer
from tests.servers.mlflow_server import MlflowServer, mlflow_server
from tests.servers.programs import free_port

__all__ = ["mlflow_server"]

RUN = MlflowRun("0" * 32, "1", "RUNNING", (), ())


def record(uri: str) -> str:
    """A run with two parameters, a curve of a thousand points and a value that is no number."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    points = [Metric("loss", 1000.0 - step, 0, step) for step in range(1000)]
    client.log_batch(run_id, metrics=points, params=[Param("rate", "0.1"), Param("kind", "<b> é")])
    client.log_metric(run_id, "odd", math.nan)
    return str(run_id)


def require_recorded(run: MlflowRun, run_id: str) -> None:
    assert (run.id, run.experiment, run.status) == (run_id, "0", "RUNNING")
    assert run.parameters == (("kind", "<b> é"), ("rate", "0.1"))
    loss, odd = run.metrics
    assert (loss.name, loss.value, loss.points[0], loss.points[-1]) == ("loss", 1.0, (0, 1000.0), (999, 1.0))
    assert 100 < len(loss.points) <= 320
    assert odd.name == "odd" and math.isnan(odd.value)


def test_server_and_database_return_the_same_run(mlflow_server: MlflowServer) -> None:
    run_id = record(mlflow_server.address)
    for tracker in (TrackingServer(mlflow_server.address), TrackingDatabase(mlflow_server.database.parent)):
        require_recorded(tracker.read(run_id), run_id)
        with pytest.raises(UserError, match="the run does not exist"):
            tracker.read("0" * 32)


def test_reads_run_from_file_of_another_version(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    run_id = record(mlflow_server.address)
    with closing(sqlite3.connect(mlflow_server.database)) as db:
        db.execute("VACUUM INTO ?", (str(tmp_path / "mlflow-1.13.db"),))
    require_recorded(TrackingDatabase(tmp_path).read(run_id), run_id)
    assert ui_command(file_of_run(tmp_path, run_id) or tmp_path).endswith("/mlflow-1.13.db (with MLflow 1.13)")


def test_does_not_create_missing_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training on this machine has used MLflow"):
        TrackingDatabase(tmp_path).read("0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_unreachable_server_is_service_fault() -> None:
    with pytest.raises(ServiceFault, match="cannot be reached"):
        TrackingServer(f"http://127.0.0.1:{free_port()}").read("0" * 32)


@contextmanager
def answering(code: int, body: bytes, kind: str = "application/json") -> Iterator[tuple[str, list[Any]]]:
    heard: list[Any] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers)
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (401, b"", "denies access"),
        (500, b"{}", "status 500"),
        (302, b"", "status 302"),
        (200, b"[[[", "status 200"),
        (200, b"[]", "status 200"),
    ],
)
def test_unexpected_responses_are_errors(code: int, body: bytes, told: str) -> None:
    with answering(code, body) as (address, _), pytest.raises((UserError, ServiceFault), match=told):
        TrackingServer(address).read("0" * 32)


def test_html_response_is_service_fault() -> None:
    with answering(200, b"<html>", "text/html") as (address, _), pytest.raises(ServiceFault, match="status 200"):
        TrackingServer(address).read("0" * 32)


def test_sends_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "let-me-in")
    with answering(401, b"") as (address, heard), pytest.raises(UserError) as raised:
        TrackingServer(address).read("0" * 32)
    assert heard[0]["Authorization"] == "Bearer let-me-in"
    assert "let-me-in" not in str(raised.value)


class Slow:
    """A store that answers on request."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.requests = 0

    def read(self, run_id: str) -> MlflowRun:
        self.requests += 1
        self.may_answer.wait(30)
        return RUN


def test_slow_server_is_queried_once_in_the_background() -> None:
    tracker = Slow()
    cache = RunCache(tracker)
    assert [cache.get("one", 0.01), cache.get("one", 0.01)] == [NoRun(NOT_YET), NoRun(NOT_YET)]
    assert tracker.requests == 1
    tracker.may_answer.set()
    until = time.monotonic() + 30
    while cache.get("one", 0.01) != RUN:
        assert time.monotonic() < until
    assert tracker.requests == 1


class Broken:
    def read(self, run_id: str) -> MlflowRun:
        raise ValueError("of a kind that nobody expects")


def test_unexpected_exception_is_reported_without_its_message() -> None:
    assert RunCache(Broken()).get("one") == NoRun("the MLflow run cannot be read (ValueError)")
