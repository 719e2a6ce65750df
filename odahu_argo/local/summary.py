"""Text shown before and after a local run."""

from __future__ import annotations

from odahu_argo.errors import Problem
from odahu_argo.local.home import Home
from odahu_argo.local.mlflow_files import file_of_run, ui_command
from odahu_argo.local.store import LocalTraining
from odahu_argo.plan.model import Plan
from odahu_argo.uri import without_credentials


def ignored_settings(plan: Plan) -> str:
    """Return a note about the settings of a plan that local runs ignore."""
    train = plan.step("train")
    gpus = f", {train.limits.gpus} GPU{'s' if train.limits.gpus > 1 else ''}" if train.limits.gpus else ""
    return f"note: image {train.image}{gpus} and resource limits apply on a cluster only; local runs use this machine"


def run_summary(training: LocalTraining, home: Home, plan: Plan) -> str:
    """Return the result of a run, the location of its files, and how to open its MLflow records.

    If the training or its toolchain specifies an MLflow server, the records are there instead of in the local store.
    """
    server = without_credentials(plan.own_tracking or "")
    file = file_of_run(home.root, training.run_id) if training.run_id and not server else None
    mlflow = server or ui_command(file or home.tracking_file)
    rows = (
        ("state", training.state),
        ("runId", training.run_id),
        ("artifactName", training.artifact_name),
        ("commitID", training.commit_id),
        ("artifact", training.artifact_uri),
        ("logs", str(home.run(training.id).logs)),
        ("MLflow", mlflow if training.run_id else ""),
    )
    return "\n".join(f"{name + ':':<14}{value}" for name, value in rows if value)


def failure_problem(training: LocalTraining, home: Home) -> Problem:
    """Return the reason of a failed training, and how to continue."""
    step = training.failed_step
    if step is None:
        return Problem(f"training {training.id!r} failed: {training.reason}")
    folder = home.run(training.id)
    code = "the working copy as it then is" if folder.repository.is_symlink() else "the same code"
    return Problem(
        f"training {training.id!r} failed in {training.reason}",
        hint=f"see {folder.log(step.name)}; --resume continues from step {step.name} with {code}",
    )
