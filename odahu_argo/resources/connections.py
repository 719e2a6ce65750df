"""Connections on the cluster: the Secrets `connection-<id>` of a namespace."""

from __future__ import annotations

import json

from odahu_argo import naming
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, UserError
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import SECRET, WORKFLOW, Cluster, Object
from odahu_argo.resources.connection_secret import connection_id, secret_fields

_FINISHED_PHASES = ("Succeeded", "Failed", "Error")
"""Final phases of a workflow."""


def list_connections(cluster: Cluster) -> list[Object]:
    """Return the Secrets of all connections, sorted by name."""
    secrets = [secret for secret in cluster.list(SECRET).items if connection_id(secret)]
    return sorted(secrets, key=lambda secret: str(secret["metadata"]["name"]))


def find_connection(cluster: Cluster, name: str) -> Object:
    """Return the Secret of a connection.

    Raises:
        NotFound: the connection does not exist.
    """
    secret = kube_apply.find(cluster, SECRET, naming.connection_secret(name)) if name else None
    if secret is None or not connection_id(secret):
        raise NotFound(
            f"there is no connection {name!r} in namespace {cluster.namespace}",
            hint="list connections with odahu-argo conn get, create one with odahu-argo conn apply -f FILE",
            entity=name,
        )
    return secret


def validate(cluster: Cluster, secret: Object) -> None:
    """Check by a dry run that the API server accepts the Secret.

    Raises:
        UserError: the existing Secret has another type, which is immutable.
        Rejected, Forbidden: the API server does not accept the Secret.
        Unreachable: the API server does not respond.
    """
    existing = kube_apply.find(cluster, SECRET, secret["metadata"]["name"])
    if existing is not None and existing.get("type") != secret["type"]:
        name = connection_id(secret)
        raise UserError(
            f"connection {name!r} needs a Secret of type {secret['type']}, but the existing Secret has type"
            f" {existing.get('type')}, and the type of a Secret is immutable",
            hint=f"delete the connection first: odahu-argo conn delete --id {name}",
        )
    cluster.apply(SECRET, secret, dry_run=True)


def apply(cluster: Cluster, secret: Object) -> Outcome:
    """Create or update the Secret of a connection."""
    return kube_apply.apply(cluster, SECRET, secret)


def create(cluster: Cluster, secret: Object, dry_run: bool = False) -> None:
    """Create the Secret of a connection. With `dry_run`, the API server only validates the request.

    Raises:
        AlreadyExists: the connection exists; it is unchanged.
    """
    try:
        cluster.create(SECRET, secret, dry_run)
    except AlreadyExists as error:
        raise AlreadyExists(
            f"connection {connection_id(secret)!r} already exists in namespace {cluster.namespace}",
            hint="update it with odahu-argo conn edit -f FILE, or keep it with --ignore-if-exists",
            entity=connection_id(secret),
        ) from error


def delete(cluster: Cluster, name: str) -> list[str]:
    """Delete the Secret of a connection.

    Returns the names of unfinished workflows that mount the Secret, or an empty list if workflows cannot be listed.

    Raises:
        NotFound: the connection does not exist.
        UserError: the connection is marked `vital`, as in ODAHU's API.
    """
    secret = find_connection(cluster, name)
    if secret_fields(secret).get("vital") == "true":
        raise UserError(f"connection {name!r} is vital and cannot be deleted", hint="set `vital: false` in it first")
    workflows = _unfinished_workflows_using(cluster, secret["metadata"]["name"])
    cluster.delete(SECRET, secret["metadata"]["name"], secret["metadata"]["uid"])
    return workflows


def _unfinished_workflows_using(cluster: Cluster, secret: str) -> list[str]:
    try:
        workflows = cluster.list(WORKFLOW).items
    except (NotFound, Forbidden):
        return []
    return [
        workflow["metadata"]["name"]
        for workflow in workflows
        if (workflow.get("status") or {}).get("phase") not in _FINISHED_PHASES
        and json.dumps(secret) in json.dumps(workflow.get("spec"))
    ]
