"""A run as MLflow has recorded it."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.uri import without_credentials

MOST_CURVES = 24
"""Metrics whose history is read; of all others only the last value."""
MOST_POINTS = 320
"""Points of a curve; of a longer one some, evenly chosen."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its last value, and its values by step in their order. Values may be infinite or not a number."""

    name: str
    value: float
    points: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its parameters and metrics, by name. `status` is MLflow's word: RUNNING, FINISHED, FAILED, KILLED."""

    id: str
    experiment: str
    status: str
    parameters: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]


class Tracker(Protocol):
    """Where runs are read from."""

    def read(self, run_id: str) -> Run:
        """The run as it stands now; UserError where it is not known or not shown to us, ServiceFault where nobody answers."""


def thinned(points: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most `MOST_POINTS` of them, the first and the last among these."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS))


PATIENCE = 2.0
"""Seconds that a page is held up for MLflow; a moment later it is brought up to date."""
FRESH = 4.0
"""Seconds for which an answer is given again."""
KEPT = 64
"""Runs whose last answers are kept."""
NOT_YET = "MLflow has not answered yet"


@dataclass(frozen=True, slots=True)
class NoRun:
    """Why there is no run to show, and what may help."""

    why: str
    hint: str = ""


Answer = Run | NoRun


class Asking:
    """Asks in threads of its own; one question for a run at a time, whoever wants to know."""

    def __init__(self, tracker: Tracker, patience: float = PATIENCE) -> None:
        self._tracker = tracker
        self._patience = patience
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="mlflow")
        self._one_at_a_time = threading.Lock()
        self._asked: OrderedDict[str, tuple[float, Future[Answer]]] = OrderedDict()
        self._known: dict[str, Answer] = {}

    def run(self, run_id: str) -> Answer:
        """The run as it stands now or stood a moment ago; what was last known, where no answer comes in time."""
        try:
            answer = self._question(run_id).result(self._patience)
        except NotYet:
            return self._known.get(run_id) or NoRun(NOT_YET)
        if isinstance(answer, Run):
            self._known[run_id] = answer
        return answer

    def _question(self, run_id: str) -> Future[Answer]:
        with self._one_at_a_time:
            began, question = self._asked.get(run_id, (0.0, None))
            if question is None or (question.done() and monotonic() - began > FRESH):
                question = self._pool.submit(self._read, run_id)
                self._asked[run_id] = (monotonic(), question)
            self._asked.move_to_end(run_id)
            while len(self._asked) > KEPT:
                oldest, _ = self._asked.popitem(last=False)
                self._known.pop(oldest, None)
            return question

    def _read(self, run_id: str) -> Answer:
        try:
            return self._tracker.read(run_id)
        except OdahuArgoError as error:
            problem = error.problems[0]
            return NoRun(problem.message, problem.hint or "")
        except Exception as error:
            return NoRun(f"what MLflow has recorded cannot be read: {type(error).__name__}")


REQUEST = 3.0
"""Seconds for one answer."""
ALL_CURVES = 6.0
"""Seconds for the histories of all metrics; what is not there by then is left out."""
LARGEST = 8 * 2**20
"""Bytes of an answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """The MLflow server at an http address."""

    address: str

    def read(self, run_id: str) -> Run:
        """The run as it stands now.

        Raises:
            UserError: the server does not know the run, or does not let us in.
            ServiceFault: it does not answer.
        """
        run = self._ask("runs/get", run_id=run_id).get("run") or {}
        info, data = run.get("info") or {}, run.get("data") or {}
        last = {str(each.get("key")): _number(each.get("value")) for each in data.get("metrics") or []}
        curves = self._curves(run_id, sorted(last)[:MOST_CURVES])
        return Run(
            id=run_id,
            experiment=str(info.get("experiment_id", "")),
            status=str(info.get("status", "")),
            parameters=tuple(
                sorted((str(each.get("key")), str(each.get("value", ""))) for each in data.get("params") or [])
            ),
            metrics=tuple(Metric(name, last[name], curves.get(name, ())) for name in sorted(last)),
        )

    def _curves(self, run_id: str, names: list[str]) -> dict[str, tuple[tuple[int, float], ...]]:
        """The server itself chooses from long histories; older servers cannot, and then there is no curve."""
        until = monotonic() + ALL_CURVES
        found = {}
        for name in names:
            if monotonic() > until:
                break
            try:
                answer = self._ask(
                    "metrics/get-history-bulk-interval", run_ids=run_id, metric_key=name, max_results=str(MOST_POINTS)
                )
            except OdahuArgoError:
                break
            points = [(int(each.get("step") or 0), _number(each.get("value"))) for each in answer.get("metrics") or []]
            found[name] = thinned(points)
        return found

    def _ask(self, what: str, **fields: str) -> dict[str, Any]:
        import urllib3

        shown = without_credentials(self.address)
        options = {"ca_certs": ca} if (ca := os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")) else {}
        with urllib3.PoolManager(timeout=REQUEST, retries=False, **options) as pool:  # type: ignore[arg-type]
            try:
                answer = pool.request(
                    "GET",
                    f"{self.address.rstrip('/')}/api/2.0/mlflow/{what}",
                    fields=fields,
                    headers=_headers(),
                    redirect=False,
                    preload_content=False,
                )
                body = answer.read(LARGEST)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise ServiceFault(f"MLflow does not answer at {shown}") from error
        value = _json(body)
        if answer.status == 200 and isinstance(value, dict):
            return value
        if answer.status in (401, 403):
            hint = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise UserError(f"MLflow at {shown} does not let us in", hint=hint)
        if isinstance(value, dict) and value.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            raise UserError(f"MLflow at {shown} does not know this run")
        raise ServiceFault(f"MLflow at {shown} answers with {answer.status}")


def _json(body: bytes) -> Any:
    """None where it is none, as the page of a proxy."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _headers() -> dict[str, str]:
    import urllib3

    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        return urllib3.make_headers(basic_auth=f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}")
    return {}


def _number(value: object) -> float:
    """JSON as protobuf writes it has NaN and Infinity as texts."""
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


@dataclass(frozen=True, slots=True)
class Database:
    """The SQLite file that local trainings record their runs in. MLflow takes seconds to import, the first time."""

    file: Path

    def read(self, run_id: str) -> Run:
        """The run as it stands now.

        Raises:
            UserError: it is not in the database, or MLflow is not installed.
            ServiceFault: the database cannot be read.
        """
        if not self.file.exists():
            raise UserError("no training has used MLflow on this machine yet")
        try:
            from odahu_argo.steps.mlflow.tracking import quiet_mlflow

            quiet_mlflow()
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise UserError("MLflow is not installed here", hint="pip install 'odahu-argo[runner]'") from error
        try:
            client = MlflowClient(f"sqlite:///{self.file}")
            run = client.get_run(run_id)
            names = sorted(run.data.metrics)
            histories = {name: client.get_metric_history(run_id, name) for name in names[:MOST_CURVES]}
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise UserError("MLflow's database on this machine does not know this run") from error
            raise ServiceFault(f"MLflow's database {self.file} cannot be read") from error
        curves = {
            name: thinned([(each.step, each.value) for each in sorted(points, key=lambda each: each.step)])
            for name, points in histories.items()
        }
        return Run(
            id=run_id,
            experiment=str(run.info.experiment_id),
            status=str(run.info.status),
            parameters=tuple(sorted(run.data.params.items())),
            metrics=tuple(Metric(name, run.data.metrics[name], curves.get(name, ())) for name in names),
        )
