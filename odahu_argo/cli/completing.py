"""IDs for shell completion. Fast, and empty if they cannot be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import typer

from odahu_argo.cli.target import Target

TIMEOUT = 3.0
"""Seconds."""


def trainings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of trainings."""
    return _with_prefix(incomplete, lambda: Target(ctx).backend().trainings.ids())


def connections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of connections."""
    return _with_prefix(incomplete, lambda: (each["id"] for each in Target(ctx).backend().connections.list()))


def toolchains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return IDs of toolchains."""
    return _with_prefix(incomplete, lambda: (each["id"] for each in Target(ctx).backend().toolchains.list()))


def local_trainings(incomplete: str) -> list[str]:
    """Return IDs of local trainings."""
    from odahu_argo.local.home import Home
    from odahu_argo.local.store import TrainingStore

    return _with_prefix(
        incomplete, lambda: (each.id for each in TrainingStore(Home.from_environment().store_file).all())
    )


def _with_prefix(incomplete: str, find: Callable[[], Iterable[str]]) -> list[str]:
    ids: list[str] = []

    def read() -> None:
        try:
            ids.extend(find())
        except Exception:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return sorted(name for name in ids if name.startswith(incomplete))
