"""Read runs from MLflow: from a tracking server or from the database of this machine."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.local.mlflow_files import file_of_run, read_run
from odahu_argo.uri import without_credentials

if TYPE_CHECKING:
    from odahu_argo.http import HttpSession

MAX_CURVES = 24
"""Metrics whose history is read. For all others only the last value is read."""
MAX_POINTS = 320
"""Points per curve. Longer curves are thinned out evenly."""
PAGE_SECONDS = 2.0
"""Time that a page waits for MLflow; the page refreshes itself shortly afterwards."""
FRESH_SECONDS = 4.0
"""Time for which a response is reused."""
MAX_CACHED_RUNS = 64
REQUEST_SECONDS = 3.0
CURVES_SECONDS = 6.0
"""Time for reading the histories of all metrics. The rest is left out."""
MAX_BYTES = 8 * 2**20
"""Largest response."""
NOT_YET = "MLflow has not answered yet"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its last value, and its values by step in order. Values may be infinite or NaN."""

    name: str
    value: float
    points: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run with its parameters and metrics, sorted by name. `status` is RUNNING, FINISHED, FAILED or KILLED."""

    id: str
    experiment: str
    status: str
    parameters: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class NoRun:
    """The reason why no run can be shown, and how to fix it."""

    reason: str
    hint: str = ""


class TrackingStore(Protocol):
    """A source of runs."""

    def read(self, run_id: str) -> MlflowRun:
        """Read a run.

        Raises:
            UserError: The run does not exist, or the account may not read it.
            ServiceFault: MLflow cannot be reached.
        """


class RunCache:
    """Reads runs in background threads, with at most one request per run at a time."""

    def __init__(self, store: TrackingStore) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="mlflow")
        self._lock = threading.Lock()
        self._requests: OrderedDict[str, tuple[float, Future[MlflowRun | NoRun]]] = OrderedDict()
        self._runs: dict[str, MlflowRun] = {}

    def get(self, run_id: str, timeout: float = PAGE_SECONDS) -> MlflowRun | NoRun:
        """Return the run. If MLflow does not answer within `timeout` seconds, return the last known state of the run."""
        try:
            run = self._request(run_id).result(timeout)
        except FutureTimeoutError:
            return self._runs.get(run_id) or NoRun(NOT_YET)
        if isinstance(run, MlflowRun):
            self._runs[run_id] = run
        return run

    def _request(self, run_id: str) -> Future[MlflowRun | NoRun]:
        with self._lock:
            started, request = self._requests.get(run_id, (0.0, None))
            if request is None or (request.done() and monotonic() - started > FRESH_SECONDS):
                request = self._pool.submit(self._read, run_id)
                self._requests[run_id] = (monotonic(), request)
            self._requests.move_to_end(run_id)
            while len(self._requests) > MAX_CACHED_RUNS:
                oldest, _ = self._requests.popitem(last=False)
                self._runs.pop(oldest, None)
            return request

    def _read(self, run_id: str) -> MlflowRun | NoRun:
        try:
            return self._store.read(run_id)
        except OdahuArgoError as error:
            problem = error.problems[0]
            return NoRun(problem.message, problem.hint or "")
        except Exception as error:
            return NoRun(f"the MLflow run cannot be read ({type(error).__name__})")


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """An MLflow tracking server, read through its REST API.

    Source: https://mlflow.org/docs/latest/rest-api.html
    """

    url: str

    def read(self, run_id: str) -> MlflowRun:
        """Read a run.

        Raises:
            UserError: The run does not exist, or the server denies access.
            ServiceFault: The server cannot be reached.
        """
        run = self._get("runs/get", run_id=run_id).get("run") or {}
        info, data = run.get("info") or {}, run.get("data") or {}
        last = {str(metric.get("key")): _number(metric.get("value")) for metric in data.get("metrics") or []}
        curves = self._curves(run_id, sorted(last)[:MAX_CURVES])
        parameters = ((str(entry.get("key")), str(entry.get("value", ""))) for entry in data.get("params") or [])
        return MlflowRun(
            id=run_id,
            experiment=str(info.get("experiment_id", "")),
            status=str(info.get("status", "")),
            parameters=tuple(sorted(parameters)),
            metrics=tuple(Metric(name, last[name], curves.get(name, ())) for name in sorted(last)),
        )

    def _curves(self, run_id: str, names: list[str]) -> dict[str, tuple[tuple[int, float], ...]]:
        """Return the history of each metric. Old servers do not support the request; then there are no curves."""
        deadline = monotonic() + CURVES_SECONDS
        curves = {}
        for name in names:
            if monotonic() > deadline:
                break
            try:
                history = self._get(
                    "metrics/get-history-bulk-interval", run_ids=run_id, metric_key=name, max_results=str(MAX_POINTS)
                )
            except OdahuArgoError:
                break
            metrics = history.get("metrics") or []
            curves[name] = thin_out([(int(entry.get("step") or 0), _number(entry.get("value"))) for entry in metrics])
        return curves

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        import requests

        from odahu_argo.http import HttpSession, read_body

        shown = without_credentials(self.url)
        ca_file = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
        with HttpSession(self.url, retries=0, read_seconds=REQUEST_SECONDS, ca_file=ca_file) as session:
            _authenticate(session)
            url = f"{self.url.rstrip('/')}/api/2.0/mlflow/{path}"
            try:
                response = session.get(url, params=query, timeout=REQUEST_SECONDS)
                value = _json(read_body(response, MAX_BYTES))
            except (requests.RequestException, OSError) as error:
                raise ServiceFault(f"MLflow at {shown} cannot be reached") from error
        if response.status_code == 200 and isinstance(value, dict):
            return value
        if response.status_code in (401, 403):
            hint = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise UserError(f"MLflow at {shown} denies access", hint=hint)
        if isinstance(value, dict) and value.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            raise UserError(f"the run does not exist in MLflow at {shown}")
        raise ServiceFault(f"unexpected response from MLflow at {shown}: status {response.status_code}")


@dataclass(frozen=True, slots=True)
class TrackingDatabase:
    """The SQLite files with the runs of local trainings: `mlflow.db` in a directory, and those of other MLflow versions."""

    directory: Path

    def read(self, run_id: str) -> MlflowRun:
        """Read a run.

        Raises:
            UserError: The run does not exist.
            ServiceFault: The database cannot be read.
        """
        file = file_of_run(self.directory, run_id) or self.directory / "mlflow.db"
        if not file.exists():
            raise UserError("no training on this machine has used MLflow yet")
        try:
            run = read_run(file, run_id, MAX_CURVES)
        except sqlite3.Error as error:
            raise ServiceFault(f"the MLflow database {file} cannot be read: {error}") from error
        if run is None:
            raise UserError("the run does not exist in the MLflow database of this machine")
        return MlflowRun(
            id=run_id,
            experiment=run.experiment,
            status=run.status,
            parameters=tuple(sorted(run.parameters.items())),
            metrics=tuple(
                Metric(name, value, thin_out(run.histories.get(name, [])))
                for name, value in sorted(run.metrics.items())
            ),
        )


def thin_out(points: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Return at most `MAX_POINTS` points, including the first and the last."""
    if len(points) <= MAX_POINTS:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(number * last / (MAX_POINTS - 1))] for number in range(MAX_POINTS))


def _json(body: bytes) -> Any:
    """Parse JSON. Return None for anything else, such as the page of a proxy."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _authenticate(session: HttpSession) -> None:
    """Use the credentials of the environment, as MLflow's own client does.

    Source: https://mlflow.org/docs/latest/ml/auth/
    """
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    elif user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        session.auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))


def _number(value: object) -> float:
    """Read a number. Protobuf's JSON writes NaN and Infinity as strings."""
    try:
        return float(str(value))
    except ValueError:
        return float("nan")
