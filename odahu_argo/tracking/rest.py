"""Runs of an MLflow server, by its REST API (https://mlflow.org/docs/latest/rest-api.html); MLflow itself is not needed.

Who may ask is told by the variables that MLflow's own client reads: `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME`
and `MLFLOW_TRACKING_PASSWORD`; `MLFLOW_TRACKING_SERVER_CERT_PATH` names the authority to trust.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from time import monotonic
from typing import Any

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.tracking.model import MOST_CURVES, MOST_POINTS, Metric, Run, thinned
from odahu_argo.uri import without_credentials

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
