"""Atomic file writes, and disk errors as UserError and ServiceFault."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError

PARTIAL = ".partial"
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_file(target: Path, owner: str) -> Iterator[Path]:
    """Yield the path of a temporary file next to `target` and rename it to `target` at the end; delete it on failure.

    Readers of `target` see the old file or the complete new one. Different owners use different temporary files. The same
    owner uses the same one, and so overwrites what a killed process left. The folder must exist.

    Raises:
        UserError: `target` is a folder, or its name is too long.
        ServiceFault: the disk is full, read-only or failing.
    """
    partial = target.with_name(f".{_digest(owner)}-{_digest(target.name)}{PARTIAL}")
    with disk_errors(target):
        try:
            yield partial
            os.replace(partial, target)  # noqa: PTH105  # Path.replace creates another Path
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def make_folder(folder: Path) -> None:
    """Create the folder and its parents if they do not exist.

    Raises:
        UserError: a file of this name exists, or a name is too long.
        ServiceFault: the disk is full, read-only or failing.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def remove_partial_files(folder: Path, owner: str) -> None:
    """Delete temporary files in the folder that a killed process of this owner left."""
    with disk_errors(folder):
        for partial in folder.glob(f".{_digest(owner)}-*{PARTIAL}"):
            partial.unlink(missing_ok=True)


def link_or_copy(source: str, target: str) -> None:
    """Create a hard link, or a copy if the file system has no hard links. An existing `target` is replaced.

    Unlink `target` before writing to it later.
    """
    Path(target).unlink(missing_ok=True)
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Map an OSError to `UserError` or `ServiceFault` with a message about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            raise UserError(
                f"{path} cannot be written: a file and a folder have the same name",
                hint="choose another localPath, or rename one of the objects",
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{path} cannot be written: the name is too long", hint="rename the object") from error
        if error.errno in DISK_IS_FULL:
            raise ServiceFault(
                f"the disk is full: {path} could not be written",
                hint="give the workspace a larger volume, or free space on this machine",
            ) from error
        raise ServiceFault(f"{path} could not be read or written: {error.strerror or error}") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
