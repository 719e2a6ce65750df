"""Connections on a cluster: the Secrets `connection-<id>` of its namespace."""

from __future__ import annotations

import json

from odahu_argo import naming
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, UserError
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import SECRET, WORKFLOW, Cluster, Object
from odahu_argo.resources.connection_secret import connection_id, fields_of

_ENDED = ("Succeeded", "Failed", "Error")
"""Argo's phases after which nothing more is run."""


def list_connections(cluster: Cluster) -> list[Object]:
    """The Secrets of all connections, by name."""
    found = [secret for secret in cluster.list(SECRET).items if connection_id(secret)]
    return sorted(found, key=lambda secret: str(secret["metadata"]["name"]))


def find_connection(cluster: Cluster, wanted: str) -> Object:
    """The Secret of a connection.

    Raises:
        NotFound: there is none.
    """
    found = kube_apply.find(cluster, SECRET, naming.connection_secret(wanted)) if wanted else None
    if found is None or not connection_id(found):
        raise NotFound(
            f"there is no connection {wanted!r} in namespace {cluster.namespace}",
            hint="odahu-argo conn get lists them, odahu-argo conn apply -f FILE makes one",
        )
    return found


def check(cluster: Cluster, secret: Object) -> None:
    """See that the API would take the Secret.

    Raises:
        UserError: it would not.
        Unreachable: it does not answer.
    """
    there = kube_apply.find(cluster, SECRET, secret["metadata"]["name"])
    if there is not None and there.get("type") != secret["type"]:
        raise UserError(
            f"connection {connection_id(secret)!r} lives in a Secret of type {there.get('type')}; it needs {secret['type']},"
            " and Kubernetes changes no Secret's type",
            hint=f"remove it first: odahu-argo conn delete --id {connection_id(secret)}",
        )
    cluster.apply(SECRET, secret, dry_run=True)


def apply(cluster: Cluster, secret: Object) -> Outcome:
    """Create a connection's Secret or bring it up to date."""
    return kube_apply.apply(cluster, SECRET, secret)


def create(cluster: Cluster, secret: Object, dry_run: bool = False) -> None:
    """Create a connection's Secret; with `dry_run` only see whether the API would.

    Raises:
        AlreadyExists: there is one; it was not touched.
    """
    try:
        cluster.create(SECRET, secret, dry_run)
    except AlreadyExists as error:
        raise AlreadyExists(
            f"there is a connection {connection_id(secret)!r} in namespace {cluster.namespace}",
            hint="odahu-argo conn edit -f FILE changes it, --ignore-if-exists leaves it as it is",
        ) from error


def delete(cluster: Cluster, wanted: str) -> list[str]:
    """Delete a connection's Secret. Gives the workflows that have not ended and mount it, as far as they can be seen.

    Raises:
        NotFound: there is none.
        UserError: it says that it is vital; ODAHU's API refused that as well.
    """
    secret = find_connection(cluster, wanted)
    if fields_of(secret).get("vital") == "true":
        raise UserError(f"connection {wanted!r} is vital, it cannot be deleted", hint="set `vital: false` in it first")
    users = _users(cluster, secret["metadata"]["name"])
    cluster.delete(SECRET, secret["metadata"]["name"], secret["metadata"]["uid"])
    return users


def _users(cluster: Cluster, secret: str) -> list[str]:
    try:
        workflows = cluster.list(WORKFLOW).items
    except (NotFound, Forbidden):
        return []
    return [
        workflow["metadata"]["name"]
        for workflow in workflows
        if (workflow.get("status") or {}).get("phase") not in _ENDED
        and json.dumps(secret) in json.dumps(workflow.get("spec"))
    ]
