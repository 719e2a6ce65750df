"""Connections mounted in a step: one directory for each, as a Kubernetes Secret volume."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.contract import Workspace, mounted_fields
from odahu_argo.errors import UserError


def read_connection(workspace: Workspace, name: str) -> dict[str, str]:
    """Return the fields of a connection that is mounted in the step.

    Raises:
        UserError: The connection is not mounted, is empty, or has a field that is not text.
    """
    return read_mounted_connection(workspace.connections / name)


def read_mounted_connection(directory: Path) -> dict[str, str]:
    """Return the fields of the connection mounted at `directory`, whose name is the connection's.

    Raises:
        UserError: The connection is not mounted, is empty, or has a field that is not text.
    """
    name = directory.name
    try:
        fields = mounted_fields(directory)
    except FileNotFoundError as error:
        raise UserError(
            f"connection {name!r} is not mounted: directory {error.args[0]} does not exist",
            hint=f"the Secret of connection {name!r} must exist and be mounted in this step",
        ) from error
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"connection {name!r} cannot be read from {directory}: {type(error).__name__}",
            hint=f"the Secret of connection {name!r} must contain UTF-8 text that this step can read",
        ) from error
    if not fields:
        raise UserError(
            f"connection {name!r} has no fields: directory {directory} is empty",
            hint=f"add the fields to the Secret of connection {name!r}, one key each, such as `uri`",
        )
    return fields
