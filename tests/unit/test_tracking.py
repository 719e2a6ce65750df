"""Runs of a real MLflow server and of a real database, and MLflow that is slow, away or strange."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.tracking import NOT_YET, Asking, Database, NoRun, Run, Server
from tests.servers.programs import free_port
from tests.servers.tracking_server import MlflowServer, mlflow_server

__all__ = ["mlflow_server"]

RUN = Run("0" * 32, "1", "RUNNING", (), ())


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


def require_recorded(run: Run, run_id: str) -> None:
    assert (run.id, run.experiment, run.status) == (run_id, "0", "RUNNING")
    assert run.parameters == (("kind", "<b> é"), ("rate", "0.1"))
    loss, odd = run.metrics
    assert (loss.name, loss.value, loss.points[0], loss.points[-1]) == ("loss", 1.0, (0, 1000.0), (999, 1.0))
    assert 100 < len(loss.points) <= 320
    assert odd.name == "odd" and math.isnan(odd.value)


def test_a_run_is_the_same_by_the_server_and_in_its_database(mlflow_server: MlflowServer) -> None:
    run_id = record(mlflow_server.address)
    for tracker in (Server(mlflow_server.address), Database(mlflow_server.database)):
        require_recorded(tracker.read(run_id), run_id)
        with pytest.raises(UserError, match="does not know this run"):
            tracker.read("0" * 32)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training has used MLflow"):
        Database(tmp_path / "mlflow.db").read("0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(ServiceFault, match="does not answer"):
        Server(f"http://127.0.0.1:{free_port()}").read("0" * 32)


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
        (401, b"", "does not let us in"),
        (500, b"{}", "answers with 500"),
        (302, b"", "answers with 302"),
        (200, b"[[[", "answers with 200"),
        (200, b"[]", "answers with 200"),
    ],
)
def test_strange_answers_are_told(code: int, body: bytes, told: str) -> None:
    with answering(code, body) as (address, _), pytest.raises((UserError, ServiceFault), match=told):
        Server(address).read("0" * 32)


def test_a_page_of_a_proxy_is_no_answer() -> None:
    with answering(200, b"<html>", "text/html") as (address, _), pytest.raises(ServiceFault, match="answers with 200"):
        Server(address).read("0" * 32)


def test_the_token_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "let-me-in")
    with answering(401, b"") as (address, heard), pytest.raises(UserError) as raised:
        Server(address).read("0" * 32)
    assert heard[0]["Authorization"] == "Bearer let-me-in"
    assert "let-me-in" not in str(raised.value)


class Slow:
    """A tracker that answers when it is allowed to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked = 0

    def read(self, run_id: str) -> Run:
        self.asked += 1
        self.may_answer.wait(30)
        return RUN


def test_nobody_waits_for_a_slow_mlflow_and_it_is_asked_once() -> None:
    tracker = Slow()
    asking = Asking(tracker, patience=0.01)
    assert [asking.run("one"), asking.run("one")] == [NoRun(NOT_YET), NoRun(NOT_YET)]
    assert tracker.asked == 1
    tracker.may_answer.set()
    until = time.monotonic() + 30
    while asking.run("one") != RUN:
        assert time.monotonic() < until
    assert tracker.asked == 1


class Broken:
    def read(self, run_id: str) -> Run:
        raise ValueError("of a kind that nobody expects")


def test_what_nobody_expects_of_mlflow_is_told_without_its_words() -> None:
    assert Asking(Broken()).run("one") == NoRun("what MLflow has recorded cannot be read: ValueError")
