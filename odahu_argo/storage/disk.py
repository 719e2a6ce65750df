"""Writing files so that a reader finds them whole or not at all, and disk errors in plain words."""

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
def whole_file(target: Path, owner: str) -> Iterator[Path]:
    """A file beside `target`, in a folder that exists, to be filled, and then put in place; of a failure nothing is left.

    Two owners never write to one unfinished file. One owner finds its own again: a killed process leaves it, and the
    next attempt writes over it.

    Raises:
        UserError: a folder stands where the file must be, or its name is too long.
        ServiceFault: the disk is full, read-only or failing.
    """
    partial = target.with_name(f".{_digest(owner)}-{_digest(target.name)}{PARTIAL}")
    with disk_errors(target):
        try:
            yield partial
            os.replace(partial, target)  # noqa: PTH105  # Path.replace makes a second path of the target, of thousands
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def make_folder(folder: Path) -> None:
    """See that the folder is there.

    Raises:
        UserError: a file stands where it must be, or a name is too long.
        ServiceFault: the disk is full, read-only or failing.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def remove_unfinished(folder: Path, owner: str) -> None:
    """Remove what a killed process of this owner has left in the folder."""
    with disk_errors(folder):
        for partial in folder.glob(f".{_digest(owner)}-*{PARTIAL}"):
            partial.unlink(missing_ok=True)


def link_or_copy(source: str, target: str) -> None:
    """A second name for the file, which takes no space on the volume; a copy where the volume knows no such names.

    What had the name before is replaced. Whoever would write to `target` later must unlink it first.
    """
    Path(target).unlink(missing_ok=True)
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError on `path` into `UserError` or `ServiceFault`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
            raise UserError(
                f"{path} cannot be written: a file and a folder would have the same name",
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
