"""The step `package`: pack the trained model and upload it to the output connection."""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from odahu_argo.artifact_name import directory_name, render
from odahu_argo.contract import ARCHIVES, ARTIFACT_NAME, DIRECTORY, RUN_ID, PackageSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.archive import ArchiveEntry, archive_chunks, list_entries, max_archive_size
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.model_directory import write_directory
from odahu_argo.steps.odahu_program import OdahuProgram
from odahu_argo.steps.output import PROJECT_FILE, write_project_file
from odahu_argo.steps.runtime import TransferProgress, check_stopped, environment, format_size, log, stopped
from odahu_argo.steps.toolchain import find_toolchain
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.factory import OpenedStore, open_store
from odahu_argo.storage.files import FileStore

_log = partial(log, "package")


def run(spec: PackageSpec, workspace: Workspace) -> None:
    """Let the toolchain provide the content, and upload it as an archive that is created during the upload.

    A further attempt repeats everything under the same name, so that there is only one object. The artifact name becomes a
    result after the upload.

    Raises:
        UserError: The toolchain is not installed, there is no training, the model is unusable, or the output connection
            is wrong.
        ServiceFault: The tracking server, the object store, the network or the disk failed.
        TransferStopped: SIGTERM was received during the upload.
    """
    toolchain = find_toolchain(spec.trainer)
    if isinstance(toolchain, OdahuProgram):
        toolchain.record_run(workspace)
    if workspace.read_result(RUN_ID) is None:
        raise UserError("there is no training to package", hint="run the step train first, in the same workspace")
    output = open_store(read_connection(workspace, spec.connection))

    directory = workspace.root / "package"
    content = directory / "content"
    with disk_errors(directory):
        name = _artifact_name(spec, workspace)
        workspace.result_file(ARTIFACT_NAME).unlink(missing_ok=True)
        shutil.rmtree(directory, ignore_errors=True)
        content.mkdir(parents=True)
    with environment(spec.environment):
        toolchain.fill(content, spec, workspace)
    check_stopped()
    if not (content / PROJECT_FILE).is_file():
        write_project_file(content, spec, workspace)

    entries = list_entries(content)
    started = time.monotonic()
    if spec.artifact_format == DIRECTORY:
        name = directory_name(name)
        written = _write(entries, output, name)
    else:
        written = _upload(entries, output, name, spec.artifact_format, owner=str(directory.absolute()))
    workspace.write_result(ARTIFACT_NAME, name)
    _log(f"done: {written}, {time.monotonic() - started:.1f} s")
    shutil.rmtree(directory, ignore_errors=True)


def _upload(entries: Sequence[ArchiveEntry], output: OpenedStore, name: str, form: str, owner: str) -> str:
    """Upload an archive, and return its address and size."""
    store, path = output
    size = sum(entry.size for entry in entries)
    key = "/".join(part for part in (path.strip("/"), name) if part)
    _log(f"uploading {ARCHIVES.get(form, form)} of {format_size(size)} to {store.url(key)}")
    with closing(archive_chunks(entries, form, TransferProgress(size, _log))) as chunks:
        sent = store.upload(chunks, key, max_archive_size(entries), owner=owner, stopped=stopped)
    return f"{store.url(key)}, {sent} bytes"


def _write(entries: Sequence[ArchiveEntry], output: OpenedStore, name: str) -> str:
    """Copy the files to a directory of the output folder, and return its path."""
    store, _ = output
    if not isinstance(store, FileStore):
        raise UserError("a directory can only be written to a folder of this machine", hint="use another format")
    target = Path(store.root) / name
    size = sum(entry.size for entry in entries)
    _log(f"copying {format_size(size)} to {target}")
    write_directory(entries, target, TransferProgress(size, _log), stopped)
    return str(target)


def _artifact_name(spec: PackageSpec, workspace: Workspace) -> str:
    """Return the name that an earlier attempt chose, or render the template and keep the name for further attempts."""
    key = f"{spec.artifact_name_template} {spec.model_name} {spec.model_version}"
    file = workspace.root / f"artifact-name-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    if file.is_file():
        return file.read_text("utf-8")
    name = render(spec.artifact_name_template, spec.model_name, spec.model_version, str(uuid.uuid4()))
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(name, "utf-8")
    partial.replace(file)
    return name
