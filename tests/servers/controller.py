"""A replacement for Argo's controller that applies recorded statuses to Workflows of a real Kubernetes API.

It creates no pods. Tests marked `argo` use a real controller.
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
"""Step names of older recordings and their replacements."""


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def offload(api: client.ApiClient, namespace: str, workflow: str) -> dict[str, Any]:
    """Remove the nodes from the workflow's status, like a controller with a database, and return the previous workflow."""
    resource = ("argoproj.io", "v1alpha1", namespace, "workflows", workflow)
    whole = client.CustomObjectsApi(api).get_namespaced_custom_object(*resource)
    change = {"status": {"nodes": None, "offloadNodeStatusVersion": "fnv:1"}}
    client.CustomObjectsApi(api).patch_namespaced_custom_object(*resource, change)
    return whole


def play(
    api: client.ApiClient, namespace: str, workflow: str, recording: str, replacements: Mapping[str, str] | None = None
) -> None:
    """Apply the status of a recording to the workflow, with these replacements."""
    source = recorded(recording)
    status = _renamed(source.get("status", {}), {source["metadata"]["name"]: workflow, **STEPS, **(replacements or {})})
    resource = ("argoproj.io", "v1alpha1", namespace, "workflows", workflow)
    before = client.CustomObjectsApi(api).get_namespaced_custom_object(*resource).get("status") or {}
    removed = dict.fromkeys(before.get("nodes") or {})
    if removed:
        status["nodes"] = {**removed, **(status.get("nodes") or {})}
    labels = {k: v for k, v in source["metadata"].get("labels", {}).items() if k.startswith("workflows.argoproj.io/")}
    change = {"metadata": {"labels": labels}, "status": copy.deepcopy(status)}
    client.CustomObjectsApi(api).patch_namespaced_custom_object(*resource, change)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Replace names in all texts of the value."""
    text = json.dumps(value)
    for recorded_name, name in names.items():
        text = text.replace(recorded_name, name)
    return json.loads(text)
