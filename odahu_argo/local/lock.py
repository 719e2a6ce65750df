"""One run of a training at a time on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.home import Home

_PATIENCE = 1.0
"""Seconds. `is_held` takes a free lock for a moment; that moment must not refuse a run."""


@contextmanager
def training_lock(home: Home, training_id: str) -> Iterator[None]:
    """Hold the training; the operating system lets go of it when this process ends, however it ends.

    Raises:
        UserError: another process holds it, or the home cannot be made.
        ServiceFault: the disk is full or failing.
    """
    from filelock import FileLock, Timeout

    home.create()
    lock = FileLock(home.locks / f"{training_id}.lock")
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
    except Timeout:
        raise UserError(
            f"training {training_id!r} is running already, in process {lock_owner(home, training_id) or '(not known)'}",
            hint="wait for it, or stop that process",
        ) from None
    try:
        _note_process(home, training_id)
        yield
    finally:
        lock.release()


def is_locked(home: Home, training_id: str) -> bool:
    """Whether a process is running the training now."""
    from filelock import FileLock, Timeout

    file = home.locks / f"{training_id}.lock"
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True


def lock_owner(home: Home, training_id: str) -> int | None:
    """The process that holds the training, or held it last; None where that is not known."""
    try:
        return int(_pid_file(home, training_id).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _note_process(home: Home, training_id: str) -> None:
    try:
        _pid_file(home, training_id).write_text(str(os.getpid()), encoding="ascii")
    except OSError as error:
        raise ServiceFault(
            f"{home.root} cannot be written: {error.strerror}", hint="free space on this machine"
        ) from error


def _pid_file(home: Home, training_id: str) -> Path:
    return home.locks / f"{training_id}.pid"
