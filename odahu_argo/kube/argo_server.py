"""Node statuses that Argo's controller offloads to its database, read from Argo Server.

https://argo-workflows.readthedocs.io/en/latest/offloading-large-workflows/
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from odahu_argo.kube.cluster import Object

if TYPE_CHECKING:
    from odahu_argo.http import HttpSession

TOKEN_VARIABLE = "ARGO_TOKEN"
"""Environment variable with the complete `Authorization` header, as for Argo's own command line."""
READ_SECONDS = 10.0


class ArgoServer:
    """Client of Argo Server's REST API. The server is optional: if it does not answer, results are empty."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: HttpSession | None = None

    def version(self) -> str | None:
        """Return the server's version, such as `v4.1.2`, or None if the server does not report one."""
        version = self._get("version").get("version")
        return version if isinstance(version, str) else None

    def with_nodes(self, workflow: Object) -> Object:
        """Return a workflow with its nodes if the controller has offloaded them.

        If the server returns none, the workflow keeps its `offloadNodeStatusVersion`, and its status reports the reason.
        """
        status = workflow.get("status")
        if not isinstance(status, dict) or not status.get("offloadNodeStatusVersion"):
            return workflow
        metadata = workflow["metadata"]
        nodes = self._nodes(str(metadata.get("namespace", "")), str(metadata.get("name", "")))
        if not nodes:
            return workflow
        inline = {name: value for name, value in status.items() if name != "offloadNodeStatusVersion"}
        return {**workflow, "status": {**inline, "nodes": nodes}}

    def _nodes(self, namespace: str, workflow: str) -> Object:
        """Return `status.nodes` of a workflow; empty if the server does not return any."""
        status = self._get(f"workflows/{quote(namespace, safe='')}/{quote(workflow, safe='')}").get("status")
        nodes = status.get("nodes") if isinstance(status, dict) else None
        return nodes if isinstance(nodes, dict) else {}

    def _get(self, path: str) -> Object:
        from odahu_argo.http import HttpSession, read_body

        if self._session is None:
            self._session = HttpSession(self._url, retries=0, read_seconds=READ_SECONDS)
            self._session.headers["Accept"] = "application/json"
            if token := os.environ.get(TOKEN_VARIABLE):
                self._session.headers["Authorization"] = token
        try:
            response = self._session.get(f"{self._url}/api/v1/{path}")
            body = read_body(response)
            content = json.loads(body) if response.status_code == 200 else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}
