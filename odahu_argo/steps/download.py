"""The step `download`: data from an object store into the repository."""

from __future__ import annotations

import time
from functools import partial

from odahu_argo.contract import DownloadSpec, Workspace, spec_to_json
from odahu_argo.errors import UserError
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.log import log
from odahu_argo.steps.progress import Percentage, human_size, report
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import download_all, plan_copies

_say = partial(log, "download")


def run(spec: DownloadSpec, workspace: Workspace) -> None:
    """Copy the object, or everything in the remote folder, to `local_path`; running it again completes what is missing.

    Raises:
        UserError: nothing is there, access is refused, or a path leaves the repository.
        ServiceFault: the store, the network or the disk failed.
    """
    store, path = open_store(read_connection(workspace, spec.connection))
    remote_path = spec.remote_path or path
    if spec.is_code:
        workspace.repository.mkdir(parents=True, exist_ok=True)
    if not workspace.repository.is_dir():
        raise UserError(f"there is no repository in {workspace.repository}", hint="the step checkout must run first")

    _say(f"copying {store.url(remote_path.lstrip('/'))} to {spec.local_path or './'}")
    copies = plan_copies(store, remote_path, spec.local_path, workspace.repository)
    size = sum(copy.source.size for copy in copies)
    _say(f"{_files(len(copies))}, {human_size(size)}")

    started = time.monotonic()
    download_all(store, copies, Percentage(size, _say), owner=spec_to_json(spec))
    report(100)
    _say(f"done: {_files(len(copies))}, {size} bytes, {time.monotonic() - started:.1f} s")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
