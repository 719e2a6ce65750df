"""The ids that a shell completes: of the cluster, or of this machine. Quick, and silent where they cannot be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import typer

from odahu_argo.cli.target import Target

PATIENCE = 3.0
"""Seconds that a user waits for a completion at most."""


def trainings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Trainings of the cluster."""
    return _begin_with(incomplete, lambda: Target(ctx).backend().trainings.ids())


def connections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Connections of the cluster."""
    return _begin_with(incomplete, lambda: (each["id"] for each in Target(ctx).backend().connections.all()))


def toolchains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Toolchains of the cluster, and those built in."""
    return _begin_with(incomplete, lambda: (each["id"] for each in Target(ctx).backend().toolchains.all()))


def local_trainings(incomplete: str) -> list[str]:
    """Trainings of this machine."""
    from odahu_argo.local.home import Home
    from odahu_argo.local.store import TrainingStore

    return _begin_with(
        incomplete, lambda: (each.id for each in TrainingStore(Home.from_environment().store_file).all())
    )


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
