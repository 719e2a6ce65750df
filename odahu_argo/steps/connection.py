"""The connection that a step may use, as its Secret lays it out."""

from __future__ import annotations

from odahu_argo.contract import Room
from odahu_argo.errors import UserError


def read_connection(room: Room, name: str) -> dict[str, str]:
    """The connection's fields.

    Raises:
        UserError: its folder is missing or empty, or a field is no text.
    """
    try:
        fields = room.connection(name)
    except FileNotFoundError as error:
        raise UserError(
            f"connection {name!r} is not here: there is no folder {error.args[0]}",
            hint=f"the Secret of connection {name!r} must exist and be mounted in this step",
        ) from error
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"connection {name!r} cannot be read from {room.connections / name}: {type(error).__name__}",
            hint=f"the Secret of connection {name!r} must hold plain text in UTF-8, readable by this step",
        ) from error
    if not fields:
        raise UserError(
            f"connection {name!r} has no fields: {room.connections / name} is empty",
            hint=f"fill the Secret of connection {name!r}, one key for each field, such as `uri`",
        )
    return fields
