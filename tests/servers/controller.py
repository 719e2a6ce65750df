"""A stand-in for Argo's controller: it plays recordings of a real one onto Workflows of a real Kubernetes API.

There is no pod and no work; what a real controller does is seen by the tests marked `argo`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes import client

RECORDINGS = Path(__file__).parent.parent / "data" / "argo-recordings"
STEPS = {"download-wine": "download-wine-data"}
"""The recorded DAG's names for our steps."""


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def offload(api: client.ApiClient, namespace: str, workflow: str) -> dict[str, Any]:
    """Take the nodes out of the workflow's status, as a controller with a database does; the whole workflow before."""
    place = ("argoproj.io", "v1alpha1", namespace, "workflows", workflow)
    whole = client.CustomObjectsApi(api).get_namespaced_custom_object(*place)
    change = {"status": {"nodes": None, "offloadNodeStatusVersion": "fnv:1"}}
    client.CustomObjectsApi(api).patch_namespaced_custom_object(*place, change)
    return whole


def play(
    api: client.ApiClient, namespace: str, workflow: str, recording: str, instead: Mapping[str, str] | None = None
) -> None:
    """Give the workflow the status of a recording, as if it had been its own; `instead` puts texts in the place of others."""
    told = recorded(recording)
    status = _renamed(told.get("status", {}), {told["metadata"]["name"]: workflow, **STEPS, **(instead or {})})
    place = ("argoproj.io", "v1alpha1", namespace, "workflows", workflow)
    before = client.CustomObjectsApi(api).get_namespaced_custom_object(*place).get("status") or {}
    gone = dict.fromkeys(before.get("nodes") or {})
    if gone:
        status["nodes"] = {**gone, **(status.get("nodes") or {})}
    labels = {k: v for k, v in told["metadata"].get("labels", {}).items() if k.startswith("workflows.argoproj.io/")}
    change = {"metadata": {"labels": labels}, "status": copy.deepcopy(status)}
    client.CustomObjectsApi(api).patch_namespaced_custom_object(*place, change)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same with our names wherever those stand."""
    text = json.dumps(value)
    for recorded_name, ours in names.items():
        text = text.replace(recorded_name, ours)
    return json.loads(text)
