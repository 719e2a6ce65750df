"""Set the status of Workflows in an in-memory cluster, as Argo's controller does, from recordings of a real one."""

from __future__ import annotations

import json
from typing import Any

from odahu_argo.kube.cluster import WORKFLOW
from tests.fakes.cluster import InMemoryCluster
from tests.servers.controller import STEPS, recorded


def play(cluster: InMemoryCluster, workflow: str, recording: str) -> dict[str, Any]:
    """Replace the status of a Workflow by that of a recording. Return the status."""
    source = recorded(recording)
    text = json.dumps(source.get("status", {}))
    for name, replacement in {source["metadata"]["name"]: workflow, **STEPS}.items():
        text = text.replace(name, replacement)
    status: dict[str, Any] = json.loads(text)
    before = cluster.get(WORKFLOW, workflow).get("status") or {}
    nodes = dict.fromkeys(before.get("nodes") or {}) | (status.get("nodes") or {})
    cluster.patch(WORKFLOW, workflow, {"status": {**status, "nodes": nodes}})
    return status
