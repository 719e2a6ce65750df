"""Removing a folder that a training program has written to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove_folder(folder: Path) -> None:
    """Remove the folder, where there is one, with folders in it that were made read-only. Nothing outside is touched.

    Raises:
        OSError: something in it cannot be removed.
    """
    if not folder.exists():
        return
    for parent, names, _ in os.walk(folder):
        for path in (Path(parent) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)
