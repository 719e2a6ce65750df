"""The connection that a step may use, as its Secret lays it out."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.contract import Workspace, mounted_fields
from odahu_argo.errors import UserError


def read_connection(workspace: Workspace, name: str) -> dict[str, str]:
    """The fields of a connection that is mounted in the step.

    Raises:
        UserError: its folder is missing or empty, or a field is no text.
    """
    return read_mounted(workspace.connections / name)


def read_mounted(folder: Path) -> dict[str, str]:
    """The fields of the connection whose Secret is mounted as that folder, called as the connection is.

    Raises:
        UserError: its folder is missing or empty, or a field is no text.
    """
    name = folder.name
    try:
        fields = mounted_fields(folder)
    except FileNotFoundError as error:
        raise UserError(
            f"connection {name!r} is not here: there is no folder {error.args[0]}",
            hint=f"the Secret of connection {name!r} must exist and be mounted in this step",
        ) from error
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"connection {name!r} cannot be read from {folder}: {type(error).__name__}",
            hint=f"the Secret of connection {name!r} must hold plain text in UTF-8, readable by this step",
        ) from error
    if not fields:
        raise UserError(
            f"connection {name!r} has no fields: {folder} is empty",
            hint=f"fill the Secret of connection {name!r}, one key for each field, such as `uri`",
        )
    return fields
