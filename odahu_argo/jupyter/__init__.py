"""Trainings in JupyterLab: what Jupyter's server answers to the panel, which is in labextension/."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Where Jupyter's server looks for the function below."""
    return [{"module": "odahu_argo.jupyter"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the routes to Jupyter's server."""
    from odahu_argo.jupyter.handlers import add_routes

    add_routes(server)
