"""A folder as a zip that is the same, byte for byte, whenever the content is the same.

Deflate is Intel's ISA-L (isal): twenty times as quick as zlib at its usual level, and as small. What it writes may differ
between kinds of processor, though never in what it unpacks to.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from isal import isal_zlib

from odahu_argo.errors import UserError
from odahu_argo.storage.disk import disk_errors

_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
_UNIX = 3
_LEVEL = 2
_RAW = -15
"""Deflate without the frame of zlib, as zips hold it."""


def write_zip(folder: Path, target: Path) -> None:
    """Write all files below `folder`, in the order of their names, with one fixed time and mode.

    A symbolic link is stored as the file it leads to. On any failure no part of the zip is left.

    Raises:
        UserError: a link leads out of the folder, or nowhere.
        ServiceFault: the disk is full or failing.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if not _is_folder(path))
    try:
        with disk_errors(target), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in files:
                _require_inside(folder, path, name)
                _add(archive, name, path)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, _OLDEST_TIME)
    entry.create_system = _UNIX
    entry.external_attr = _FILE_MODE << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(entry, "w") as sink:
        _use_isal(sink)
        shutil.copyfileobj(source, sink, 1024 * 1024)


def _use_isal(sink: Any) -> None:
    """zipfile offers no choice of compressor. One that looked elsewhere for its own would use that, which is right too."""
    sink._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _require_inside(folder: Path, path: Path, name: str) -> None:
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()) or not resolved.is_file():
        raise UserError(
            f"{name} of the model is neither a file nor a symbolic link to a file of the model",
            hint="log or write the file itself instead",
        )
