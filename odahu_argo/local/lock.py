"""Lock files that allow one run per training at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.home import Home

_LOCK_TIMEOUT = 1.0
"""Seconds. `is_locked` shares an unused lock for a moment, which must not make a run fail."""


@contextmanager
def training_lock(home: Home, training_id: str) -> Iterator[None]:
    """Lock a training. The operating system releases the lock when this process ends, even after SIGKILL.

    Raises:
        UserError: another process holds the lock, or the home folder cannot be created.
        ServiceFault: the disk is full or failed.
    """
    from filelock import FileLock, Timeout

    home.create()
    lock = FileLock(home.locks / f"{training_id}.lock")
    try:
        lock.acquire(timeout=_LOCK_TIMEOUT, poll_interval=0.05)
    except Timeout:
        raise UserError(
            f"training {training_id!r} is already running in process {lock_owner(home, training_id) or '(unknown)'}",
            hint="wait until it ends, or stop that process",
        ) from None
    try:
        _write_owner(home, training_id)
        yield
    finally:
        lock.release()


def is_locked(home: Home, training_id: str) -> bool:
    """Return whether a process is running the training."""
    import fcntl

    try:
        descriptor = os.open(home.locks / f"{training_id}.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def lock_owner(home: Home, training_id: str) -> int | None:
    """Return the ID of the process that last locked the training, or None if it is unknown."""
    try:
        return int(_owner_file(home, training_id).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _write_owner(home: Home, training_id: str) -> None:
    try:
        _owner_file(home, training_id).write_text(str(os.getpid()), encoding="ascii")
    except OSError as error:
        raise ServiceFault(f"cannot write to {home.root}: {error.strerror}", hint="free disk space") from error


def _owner_file(home: Home, training_id: str) -> Path:
    return home.locks / f"{training_id}.pid"
