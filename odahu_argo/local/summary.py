"""What a person is told before and after a run."""

from __future__ import annotations

from odahu_argo.errors import Problem
from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining
from odahu_argo.plan.model import Plan
from odahu_argo.uri import without_credentials


def ignored_settings(plan: Plan) -> str:
    """What the plan says that has no effect on this machine."""
    train = plan.step("train")
    gpus = f", {train.limits.gpus} GPU{'s' if train.limits.gpus > 1 else ''}" if train.limits.gpus else ""
    return f"note: image {train.image}{gpus} and limits are for the cluster; this machine's Python runs the training"


def run_summary(training: LocalTraining, home: Home, plan: Plan) -> str:
    """State and artifacts of a run that has ended, where its files lie, and how to look into MLflow.

    A server that the training or its toolchain names has its records, and this machine none.
    """
    server = without_credentials(plan.own_tracking or "")
    mlflow = server or f"mlflow ui --backend-store-uri {home.tracking_uri}"
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
    """Why the training failed, and what to do."""
    step = training.failed_step
    if step is None:
        return Problem(f"training {training.id!r} failed: {training.reason}")
    return Problem(
        f"training {training.id!r} failed in {training.reason}",
        hint=f"see {home.run(training.id).log(step.name)}; --resume begins again with {step.name}, with the same code",
    )
