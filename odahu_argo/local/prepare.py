"""Preparation of a run: remains of killed processes, folders, and the first record of a new or resumed run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.contract import WORKSPACE_VARIABLE, ZIP, PackageSpec, StepSpec, TrainSpec, spec_to_json
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.connections import remove_stale_folders
from odahu_argo.local.home import Home, RunFolder
from odahu_argo.local.process import terminate_tree
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore, utc_now
from odahu_argo.plan.model import Plan


def clean_up_after_crash(home: Home, training_id: str) -> None:
    """Terminate processes and remove private folders of a killed engine. The caller must hold the training's lock."""
    terminate_tree(None, (WORKSPACE_VARIABLE, str(home.run(training_id).workspace)))
    remove_stale_folders(home, training_id)


def new_run(plan: Plan, home: Home, output: str, directory: Path | None) -> LocalTraining:
    """Delete the record, workspace and logs of an earlier run, and return the record of a new run.

    The record is deleted first. If this process ends before the folders are removed, no run without files can be resumed.
    The repository of the workspace is a symbolic link to `directory` if the run is in place, else it does not exist.

    Raises:
        ServiceFault: the disk failed.
    """
    folder = home.run(plan.training_id)
    TrainingStore(home.store_file).delete(plan.training_id)
    try:
        remove_tree(folder.root)
        folder.workspace.mkdir(parents=True)
        if directory is not None:
            folder.repository.symlink_to(directory)
        folder.logs.mkdir()
        _write_workflow(plan, folder)
    except OSError as error:
        raise ServiceFault(f"cannot write {error.filename or folder.root}: {error.strerror or error}") from error
    now = utc_now()
    return LocalTraining(
        id=plan.training_id,
        model_name=plan.model_name,
        model_version=plan.model_version,
        toolchain=plan.toolchain,
        state="scheduling",
        created=now,
        updated=now,
        digest=plan_digest(plan),
        output=output,
        spec=json.dumps(plan.spec),
        steps=tuple(StepRecord(step.name) for step in plan.steps),
    )


def resumed_run(plan: Plan, home: Home, output: str, directory: Path | None) -> LocalTraining:
    """Return the record of the earlier run in which every step that did not succeed waits again.

    Raises:
        UserError: there is no earlier run, it succeeded, its workspace is missing, it ran a different plan, or it ran in
            place in another directory.
    """
    training_id = plan.training_id
    earlier = TrainingStore(home.store_file).get(training_id)
    hint = "run it without --resume"
    if earlier is None:
        raise UserError(f"cannot resume {training_id!r}: no earlier run exists", hint)
    if earlier.state == "succeeded":
        raise UserError(f"cannot resume {training_id!r}: the earlier run succeeded", hint)
    if earlier.digest != plan_digest(plan):
        raise UserError(f"cannot resume {training_id!r}: its manifest changed since the earlier run", hint)
    folder = home.run(training_id)
    if not (folder.workspace.is_dir() and folder.logs.is_dir()):
        raise UserError(f"cannot resume {training_id!r}: files of the earlier run are missing in {folder.root}", hint)
    if directory is not None and folder.repository.resolve() != directory.resolve():
        raise UserError(f"cannot resume {training_id!r}: the earlier run was in {folder.repository.resolve()}", hint)
    steps = tuple(step if step.state == "succeeded" else StepRecord(step.name) for step in earlier.steps)
    return replace(
        earlier, state="scheduling", updated=utc_now(), reason="", exit_code=None, output=output, steps=steps
    )


def plan_digest(plan: Plan) -> str:
    """Return a digest of the plan's steps, their order, and the sources of code and data.

    The destination of the trained model, its format, and the choice of the environment are not part of it: they may change
    between a run and its resumption.
    """
    sources = {use.id: [use.type, use.uri] for use in plan.connections}
    steps = [
        [
            step.name,
            step.needs,
            spec_to_json(_content(step.spec)),
            sources.get(step.connection or "") if step.kind != "package" else None,
        ]
        for step in plan.steps
    ]
    return hashlib.sha256(json.dumps(steps).encode()).hexdigest()


def _content(spec: StepSpec) -> StepSpec:
    if isinstance(spec, PackageSpec):
        return replace(spec, artifact_format=ZIP)
    if isinstance(spec, TrainSpec):
        return replace(spec, environment_manager="auto", strict_environment=False)
    return spec


def remove_tree(folder: Path) -> None:
    """Remove a folder, including read-only subfolders. Symbolic links are not followed. A missing folder is not an error.

    Raises:
        OSError: a file or folder cannot be removed.
    """
    if not folder.exists():
        return
    for parent, names, _ in os.walk(folder):
        for path in (Path(parent) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)


def _write_workflow(plan: Plan, folder: RunFolder) -> None:
    """Write the compiled Workflow. Skip it if it exceeds Argo's size limit, which does not apply to local runs."""
    with suppress(UserError):
        folder.workflow.write_text(to_yaml([compile_workflow(plan)]), encoding="utf-8")
