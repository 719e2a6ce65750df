"""The record and the folders that a run begins with: new ones, or those of an earlier run that is resumed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.contract import WORKSPACE_VARIABLE, spec_to_json
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.connections import remove_stale_directories
from odahu_argo.local.home import Home, RunFolder
from odahu_argo.local.process import end_tree
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore, utc_now
from odahu_argo.plan.model import Plan


def remove_tree(folder: Path) -> None:
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


PACKAGES = ("boto3", "filelock", "mlflow", "psutil")


def require_packages() -> None:
    """See that the local engine's packages are installed.

    Raises:
        UserError: some are not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"training on this machine needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[training]'",
        )


def new_run(plan: Plan, home: Home, output: str) -> LocalTraining:
    """A new run in the place of any earlier one, whose record, workspace and logs are removed.

    The record goes first: if this process dies in between, no run is there to be resumed without its files.

    Raises:
        ServiceFault: the disk failed.
    """
    folder = home.run(plan.training_id)
    TrainingStore(home.store_file).delete(plan.training_id)
    try:
        remove_tree(folder.root)
        for each in (folder.workspace, folder.logs):
            each.mkdir(parents=True)
        _write_workflow(plan, folder)
    except OSError as error:
        raise ServiceFault(f"{error.filename} cannot be written: {error.strerror}") from error
    time = utc_now()
    return LocalTraining(
        id=plan.training_id,
        model_name=plan.model_name,
        model_version=plan.model_version,
        toolchain=plan.toolchain,
        state="scheduling",
        created=time,
        updated=time,
        digest=plan_digest(plan),
        output=output,
        spec=json.dumps(plan.spec),
        steps=tuple(StepRecord(step.name) for step in plan.steps),
    )


def resumed_run(plan: Plan, home: Home, output: str) -> LocalTraining:
    """The earlier run, with the steps that succeeded as they are and all others waiting.

    Raises:
        UserError: there is none, it succeeded, its workspace is gone, or it was run from another plan.
    """
    earlier = TrainingStore(home.store_file).get(plan.training_id)
    again = "run it without --resume"
    if earlier is None:
        raise UserError(f"there is no earlier run of {plan.training_id!r} to resume", hint=again)
    if earlier.state == "succeeded":
        raise UserError(f"the earlier run of {plan.training_id!r} succeeded; nothing is left to resume", hint=again)
    if earlier.digest != plan_digest(plan):
        raise UserError(f"the manifest of {plan.training_id!r} has changed since the earlier run", hint=again)
    folder = home.run(plan.training_id)
    if not (folder.workspace.is_dir() and folder.logs.is_dir()):
        raise UserError(f"the files of the earlier run are gone: there is no {folder.workspace}", hint=again)
    steps = tuple(step if step.state == "succeeded" else StepRecord(step.name) for step in earlier.steps)
    return replace(
        earlier, state="scheduling", updated=utc_now(), reason="", exit_code=None, output=output, steps=steps
    )


def _write_workflow(plan: Plan, folder: RunFolder) -> None:
    """One that would be too large for Argo is not written; here it runs all the same."""
    with suppress(UserError):
        folder.workflow.write_text(to_yaml([compile_workflow(plan)]), encoding="utf-8")


def clean_up_after_crash(home: Home, training_id: str) -> None:
    """End processes and remove private folders that a killed engine has left. The training's lock must be held."""
    end_tree(None, (WORKSPACE_VARIABLE, str(home.run(training_id).workspace)))
    remove_stale_directories(home, training_id)


def plan_digest(plan: Plan) -> str:
    """What tells two plans apart here: the steps, their order, and where code and data come from."""
    sources = {use.id: [use.type, use.uri] for use in plan.connections}
    steps = [
        [
            step.name,
            step.needs,
            spec_to_json(step.spec),
            sources.get(step.connection or "") if step.kind != "package" else None,
        ]
        for step in plan.steps
    ]
    return hashlib.sha256(json.dumps(steps).encode()).hexdigest()
