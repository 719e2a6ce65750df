"""The step `package`: zip the trained model and upload it to the output connection."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import closing
from functools import partial

from odahu_argo.artifact_name import render
from odahu_argo.contract import ARTIFACT_NAME, RUN_ID, PackageSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.archive import list_entries, max_zip_size, zip_chunks
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.output import PROJECT_FILE, write_project_file
from odahu_argo.steps.runtime import TransferProgress, check_stopped, environment, format_size, log, stopped
from odahu_argo.steps.toolchain import find_toolchain
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.factory import open_store

_log = partial(log, "package")


def run(spec: PackageSpec, workspace: Workspace) -> None:
    """Let the toolchain provide the content, and upload it as a zip that is created during the upload.

    The artifact name is recorded before the upload. A further attempt repeats everything under the same name, so that
    there is only one object.

    Raises:
        UserError: The toolchain is not installed, there is no training, the model is unusable, or the output connection
            is wrong.
        ServiceFault: The tracking server, the object store, the network or the disk failed.
        TransferStopped: SIGTERM was received during the upload.
    """
    toolchain = find_toolchain(spec.trainer)
    if workspace.read_result(RUN_ID) is None:
        raise UserError("there is no training to package", hint="run the step train first, in the same workspace")
    store, path = open_store(read_connection(workspace, spec.connection))

    directory = workspace.root / "package"
    content = directory / "content"
    with disk_errors(directory):
        shutil.rmtree(directory, ignore_errors=True)
        content.mkdir(parents=True)
    with environment(spec.environment):
        toolchain.fill(content, spec, workspace)
    check_stopped()
    if not (content / PROJECT_FILE).is_file():
        write_project_file(content, spec, workspace)

    name = _artifact_name(spec, workspace)
    entries = list_entries(content)
    size = sum(entry.size for entry in entries)
    key = "/".join(part for part in (path.strip("/"), name) if part)
    _log(f"uploading a zip of {format_size(size)} to {store.url(key)}")
    started = time.monotonic()
    with closing(zip_chunks(entries, TransferProgress(size, _log))) as chunks:
        sent = store.upload(chunks, key, max_zip_size(entries), owner=str(directory.absolute()), stopped=stopped)
    _log(f"done: {store.url(key)}, {sent} bytes, {time.monotonic() - started:.1f} s")
    shutil.rmtree(directory, ignore_errors=True)


def _artifact_name(spec: PackageSpec, workspace: Workspace) -> str:
    """Return the name that an earlier attempt recorded, or render the template and record the result."""
    recorded = workspace.read_result(ARTIFACT_NAME)
    if recorded is not None:
        return recorded
    name = render(spec.artifact_name_template, spec.model_name, spec.model_version, str(uuid.uuid4()))
    workspace.write_result(ARTIFACT_NAME, name)
    return name
