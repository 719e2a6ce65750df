"""The trained model as a directory on this machine, as `odahuflowctl local train run` leaves it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from odahu_argo.errors import UserError
from odahu_argo.steps.archive import ArchiveEntry
from odahu_argo.steps.output import PROJECT_FILE
from odahu_argo.storage.base import TransferStopped
from odahu_argo.storage.disk import PARTIAL, disk_errors, make_folder


def write_directory(
    entries: Sequence[ArchiveEntry], target: Path, on_bytes: Callable[[int], None], stopped: threading.Event
) -> None:
    """Copy the files to the directory `target`, which appears when it is complete. An earlier model in it is replaced.

    Files are copied rather than linked, so that editing them does not change MLflow's records.

    Raises:
        UserError: `target` exists and is not a trained model.
        ServiceFault: The disk failed.
        TransferStopped: SIGTERM was received.
    """
    if target.exists() and not (target / PROJECT_FILE).is_file():
        raise UserError(
            f"{target} exists and is not a trained model",
            hint="choose another --output-dir, or another artifactNameTemplate",
        )
    partial = target.with_name(f".{target.name}{PARTIAL}")
    make_folder(target.parent)
    with disk_errors(partial):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            for entry in entries:
                if stopped.is_set():
                    raise TransferStopped
                _copy(entry, partial / entry.name)
                on_bytes(entry.size)
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _copy(entry: ArchiveEntry, copy: Path) -> None:
    if entry.is_directory:
        copy.mkdir()
    else:
        shutil.copyfile(entry.path, copy)
    copy.chmod(entry.mode)
