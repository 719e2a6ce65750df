"""The server extension for JupyterLab's training panel. The panel itself is in labextension/."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server which module contains the extension."""
    return [{"module": "odahu_argo.jupyter"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the routes to Jupyter Server."""
    from odahu_argo.jupyter.handlers import add_routes

    add_routes(server)
