"""The step `package`: what was trained as a zip, sent to the output connection."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import closing
from functools import partial

from odahu_argo.artifact_name import render
from odahu_argo.contract import ARTIFACT_NAME, RUN_ID, PackageSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.archive import entries_below, most_bytes, zip_chunks
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.log import log
from odahu_argo.steps.output import PROJECT_FILE, write_project_file
from odahu_argo.steps.progress import Percentage, human_size
from odahu_argo.steps.surroundings import environment
from odahu_argo.steps.toolchain import find
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.factory import open_store

_say = partial(log, "package")


def run(spec: PackageSpec, workspace: Workspace) -> None:
    """Let the toolchain lay out what it has trained, and upload it as a zip, made on the way; its name is recorded before.

    A further attempt begins anew and uploads under the name that the first has drawn, so that there is one object in the end.

    Raises:
        UserError: there is no such toolchain, nothing was trained, the toolchain finds it unusable, or the output
            connection is wrong.
        ServiceFault: tracking server, object store, network or disk failed.
    """
    toolchain = find(spec.trainer)
    if workspace.read_result(RUN_ID) is None:
        raise UserError("there is no training to package", hint="the step train must run first, in the same workspace")
    store, path = open_store(read_connection(workspace, spec.connection))

    folder = workspace.root / "package"
    content = folder / "content"
    with disk_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        content.mkdir(parents=True)
    with environment(spec.environment):
        toolchain.fill(content, spec, workspace)
    if not (content / PROJECT_FILE).is_file():
        write_project_file(content, spec, workspace)

    name = _artifact_name(spec, workspace)
    entries = entries_below(content)
    size = sum(entry.size for entry in entries)
    key = "/".join(part for part in (path.strip("/"), name) if part)
    _say(f"uploading a zip of {human_size(size)} to {store.url(key)}")
    started = time.monotonic()
    with closing(zip_chunks(entries, Percentage(size, _say))) as chunks:
        sent = store.upload(chunks, key, most_bytes(entries), owner=str(folder.absolute()))
    _say(f"done: {store.url(key)}, {sent} bytes, {time.monotonic() - started:.1f} s")
    shutil.rmtree(folder, ignore_errors=True)


def _artifact_name(spec: PackageSpec, workspace: Workspace) -> str:
    earlier = workspace.read_result(ARTIFACT_NAME)
    if earlier is not None:
        return earlier
    name = render(spec.artifact_name_template, spec.model_name, spec.model_version, str(uuid.uuid4()))
    workspace.write_result(ARTIFACT_NAME, name)
    return name
