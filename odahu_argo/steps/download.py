"""The step `download`: copy data from an object store to the repository."""

from __future__ import annotations

import time
from functools import partial

from odahu_argo.contract import DownloadSpec, Workspace, spec_to_json
from odahu_argo.errors import UserError
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.runtime import TransferProgress, format_size, log, report_progress, stopped
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import download_all, plan_copies

_log = partial(log, "download")


def run(spec: DownloadSpec, workspace: Workspace) -> None:
    """Copy the object, or all objects below the remote path, to `local_path`. A further attempt copies only missing files.

    Raises:
        UserError: No object matches, access is denied, or a path is outside the repository.
        ServiceFault: The store, the network or the disk failed.
        TransferStopped: SIGTERM was received.
    """
    store, path = open_store(read_connection(workspace, spec.connection))
    remote_path = spec.remote_path or path
    if spec.is_code:
        workspace.repository.mkdir(parents=True, exist_ok=True)
    if not workspace.repository.is_dir():
        raise UserError(f"directory {workspace.repository} does not exist", hint="run the step checkout first")

    _log(f"copying {store.url(remote_path.lstrip('/'))} to {spec.local_path or './'}")
    copies = plan_copies(store, remote_path, spec.local_path, workspace.repository, stopped)
    size = sum(copy.source.size for copy in copies)
    _log(f"{_count_files(len(copies))}, {format_size(size)}")

    started = time.monotonic()
    download_all(store, copies, TransferProgress(size, _log), owner=spec_to_json(spec), stopped=stopped)
    report_progress(100)
    _log(f"done: {_count_files(len(copies))}, {size} bytes, {time.monotonic() - started:.1f} s")


def _count_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
