"""What a step's pod has printed: from the pod while it is there, else from where Argo has archived it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.status.model import PodRun
from odahu_argo.submit.cluster import POD, Cluster, NotFound, Object
from odahu_argo.submit.connections import find_connection
from odahu_argo.submit.secrets import fields_of

CONTAINER = "main"
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
NODE_ANNOTATION = "workflows.argoproj.io/node-id"
_OF_ARGO = re.compile(r"^time=\S+ level=\w+ msg=.* argo=true( |$)")
"""Argo's executor writes lines of its own into the container's log."""


def pod_names(cluster: Cluster, workflow: str) -> dict[str, str]:
    """The pods of a workflow that are still there, by the id of their node."""
    pods = cluster.list(POD, {WORKFLOW_LABEL: workflow}).items
    return {node: pod["metadata"]["name"] for pod in pods if (node := _node(pod))}


def own_lines(lines: Iterator[str]) -> Iterator[str]:
    """Without what Argo's executor has printed between them."""
    return (line for line in lines if not _OF_ARGO.match(line))


def archived_lines(cluster: Cluster, connection: str, run: PodRun) -> Iterator[str]:
    """The log that Argo has put into its artifact repository, read by the connection that the profile names.

    Raises:
        UserError: nothing was archived, or the connection does not fit the archive.
        ServiceFault: the object store failed.
    """
    from odahu_argo.storage.factory import open_store
    from odahu_argo.storage.transfer import Copy, download_all

    key = _key(run.archived_log or {})
    if not key:
        raise UserError("its pod is gone, and Argo has archived no log of it")
    store, _ = open_store(_connection(cluster, connection))
    found = store.stat(key)
    if not found:
        raise UserError(f"its pod is gone, and there is no log at {store.url(key)}")
    with tempfile.TemporaryDirectory(prefix="odahu-argo-") as folder:
        file = Path(folder) / "log"
        download_all(store, [Copy(found, file)], lambda count: None, owner="log")
        with file.open(encoding="utf-8", errors="replace") as text:
            yield from (line.rstrip("\n") for line in text)


def _connection(cluster: Cluster, connection: str) -> dict[str, str]:
    try:
        return fields_of(find_connection(cluster, connection))
    except NotFound as error:
        hint = "argo.log_connection in the profile must name a connection of this namespace; odahu-argo conn get lists them"
        message = (
            f"archived logs cannot be read: there is no connection {connection!r} in namespace {cluster.namespace}"
        )
        raise UserError(message, hint=hint) from error


def _key(artifact: Mapping[str, Any]) -> str:
    """The object's key, in whichever store Argo says it is."""
    for store, field in (("s3", "key"), ("gcs", "key"), ("azure", "blob")):
        place = artifact.get(store)
        if isinstance(place, dict) and place.get(field):
            return str(place[field])
    return ""


def _node(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(NODE_ANNOTATION, ""))
