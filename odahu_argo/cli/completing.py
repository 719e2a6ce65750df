"""The ids that a shell completes: of the cluster, or of this machine. Quick, and silent where they cannot be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from odahu_argo.submit.cluster import Cluster

PATIENCE = 3.0
"""Seconds that a user waits for a completion at most."""


def trainings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Trainings of the cluster."""
    from odahu_argo.trainings.read import training_ids

    return _begin_with(incomplete, lambda: training_ids(_cluster(ctx)))


def connections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Connections of the cluster."""
    from odahu_argo.submit.connections import list_connections
    from odahu_argo.submit.secrets import connection_id

    return _begin_with(incomplete, lambda: (str(connection_id(each)) for each in list_connections(_cluster(ctx))))


def toolchains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Toolchains of the cluster, and those built in."""
    from odahu_argo.submit.toolchains import list_toolchains

    return _begin_with(incomplete, lambda: (each["id"] for each in list_toolchains(_cluster(ctx))))


def local_trainings(incomplete: str) -> list[str]:
    """Trainings of this machine."""
    from odahu_argo.local.home import Home
    from odahu_argo.local.store import Store

    return _begin_with(incomplete, lambda: (each.id for each in Store(Home.from_environment().trainings).all()))


def _cluster(ctx: typer.Context) -> Cluster:
    """As the options say that were written so far."""
    from odahu_argo.profile import load
    from odahu_argo.submit.kube import connect

    profile = ctx.params.get("profile")
    namespace = ctx.params.get("namespace") or (load(Path(profile)).namespace if profile else None)
    return connect(namespace, ctx.params.get("context"))


def _begin_with(incomplete: str, find: Callable[[], Iterable[str]]) -> list[str]:
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(find())
        except Exception:
            return

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(PATIENCE)
    return sorted(name for name in found if name.startswith(incomplete))
