"""Command of the template `training` in templates/odahu-templates.yaml: a training as a step of another Workflow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli.submission import prepare

_MAX_MESSAGE_BYTES = 2000
"""Kubernetes keeps 4096 bytes of termination messages for all containers of a pod together."""


def template_training_command(
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="Manifest of one training.")],
    id_file: Annotated[Path, typer.Option("--id-file", metavar="FILE", help="File that receives the training's ID.")],
    message_file: Annotated[
        Path | None, typer.Option("--message-file", metavar="FILE", help="File that receives the reason of a failure.")
    ] = None,
) -> None:
    """Submit a training to an API server and wait for its end, as the template `training` of the WorkflowTemplate `odahu`.

    The environment variable ODAHU_URL selects the server, and WAIT_COMPLETION=false ends the command after the submission.
    Credentials are `token`, or `client_id`, `client_secret` and `issuer_url` of an OpenID provider.

    Example: odahu-argo template-training -f /tmp/training.yaml --id-file /tmp/training_id
    """
    with _termination_message(message_file):
        _train(file, id_file)


def _train(file: Path, id_file: Path) -> None:
    from odahu_argo.backends.remote import RemoteBackend
    from odahu_argo.backends.remote_client import RemoteClient, parse_server_url
    from odahu_argo.cli.train_follow import report
    from odahu_argo.errors import UserError

    wait = os.environ.get("WAIT_COMPLETION") or "true"
    if wait not in ("true", "false"):
        raise UserError(f"wait_completion is {wait!r}", hint="set it to true or false")
    url = parse_server_url(os.environ.get("ODAHU_URL", ""))
    backend = RemoteBackend(RemoteClient(url, _token()))
    submission = prepare(backend.trainings, [file], None, None, None)
    if len(submission.ids) != 1:
        raise UserError(f"trainingManifest contains {len(submission.ids)} trainings", hint="pass one ModelTraining")
    submitted = submission.create(submission.ids[0])
    id_file.write_text(submitted.training_id, encoding="utf-8")
    report(backend, [submitted], wait == "true", None)


@contextmanager
def _termination_message(file: Path | None) -> Iterator[None]:
    """Write the error that ends the block to the file, which Kubernetes reads and Argo shows as the node's message."""
    from odahu_argo.errors import OdahuArgoError

    try:
        yield
    except OdahuArgoError as error:
        if file is not None:
            with suppress(OSError):
                file.write_bytes(str(error).encode()[:_MAX_MESSAGE_BYTES])
        raise


def _token() -> str | None:
    """Return the token in the environment, or one of the OpenID provider. None without credentials."""
    from odahu_argo.client_credentials import request_token
    from odahu_argo.errors import UserError

    names = ("issuer_url", "client_id", "client_secret")
    token, issuer, client_id, secret = (os.environ.get(name, "").strip() for name in ("token", *names))
    if token:
        return token
    if not any((issuer, client_id, secret)):
        return None
    if not all((issuer, client_id, secret)):
        raise UserError(f"{', '.join(names)} belong together", hint="set all three in the Secret, or token")
    return request_token(issuer, client_id, secret)
