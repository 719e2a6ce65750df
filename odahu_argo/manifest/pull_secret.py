"""A docker Connection as the `.dockerconfigjson` of a Secret from which Kubernetes pulls images.

The Secret's type is `kubernetes.io/dockerconfigjson` (Kubernetes' documentation: Pull an Image from a Private Registry).
"""

from __future__ import annotations

import base64
import json

from odahu_argo.errors import UserError
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secret_text import read_secret

SECRET_TYPE = "kubernetes.io/dockerconfigjson"
SECRET_KEY = ".dockerconfigjson"
DOCKER_HUB = "https://index.docker.io/v1/"
"""Docker Hub's name in such a file, under which the kubelet looks for it."""
_DOCKER_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")


def docker_config(connection: Connection) -> str:
    """The text for the Secret's key `.dockerconfigjson`: one registry, with the connection's user and password. It is secret.

    The password is plain or base64 by the rule of `secret_text`. The registry is the host (and port) of the URI, for all
    images on it; as with docker, a URI that begins with no host (`team/image`) is on Docker Hub.

    Raises:
        UserError: the connection is of another type, or has no user or password, or one that cannot be read.
    """
    spec = connection.spec
    if spec.type == "ecr":
        raise UserError(
            f"connection {connection.id!r} is of type ecr: its passwords last 12 hours, so no Secret can hold one for long",
            "let the nodes' AWS role pull (AmazonEC2ContainerRegistryReadOnly); or renew a Secret of your own from "
            "`aws ecr get-login-password`, and name it in the profile's image_pull_secrets",
        )
    if spec.type != "docker":
        raise UserError(
            f"connection {connection.id!r} is of type {spec.type}, which gives no images",
            "images are pulled with a connection of type docker",
        )
    password = _password(connection)
    missing = " and ".join(
        name for name, value in (("username", spec.username), ("password", password)) if not value.strip()
    )
    if missing:
        raise UserError(
            f"connection {connection.id!r} has no {missing}, without which nothing can be pulled by it",
            "fill it in; a registry that asks for no password needs no entry in image_pull_secrets",
        )
    together = base64.b64encode(f"{spec.username}:{password}".encode()).decode()
    entry = {"username": spec.username, "password": password, "auth": together}
    return json.dumps({"auths": {registry(spec.uri): entry}}, ensure_ascii=False, separators=(",", ":"))


def registry(uri: str) -> str:
    """The registry of an image's or a repository's address, as a file of credentials names it."""
    first = uri.strip().rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    is_host = "://" in uri or "." in first or ":" in first or first == "localhost"
    return first if is_host and first not in _DOCKER_HUB_HOSTS else DOCKER_HUB


def _password(connection: Connection) -> str:
    try:
        return read_secret(connection.spec.password.get_secret_value(), connection.spec.secret_encoding).plain
    except ValueError as error:
        raise UserError(
            f"connection {connection.id!r}: its field password {error}", "correct it, or set secretEncoding: plain"
        ) from None
