"""A status as plain data, in the form of ODAHU's API. The twin of `local/odahu_form.py`."""

from __future__ import annotations

from typing import Any

from odahu_argo.status.model import Artifacts, PodRun, Status, StepStatus


def odahu_form(status: Status) -> dict[str, Any]:
    """The `status` of a ModelTraining by ODAHU's names; `argo` is ours: the workflow, a hint, the steps with their pods.

    `podName` is the last pod of the step that the status tells of, where there is one.
    """
    pod = _pod(status)
    return {
        "state": status.state,
        "reason": status.reason,
        "message": status.message,
        "exitCode": status.exit_code,
        **({"podName": pod} if pod else {}),
        "artifacts": artifacts_form(status.artifacts),
        "argo": {
            "workflow": status.workflow,
            "phase": status.phase,
            "step": status.step,
            "hint": status.hint,
            "startedAt": status.started,
            "finishedAt": status.finished,
            "steps": [_step(step) for step in status.steps],
        },
    }


def artifacts_form(artifacts: Artifacts) -> list[dict[str, str]]:
    """What a training leaves as ODAHU lists it: one entry, or none while nothing is known."""
    named = {"runId": artifacts.run_id, "artifactName": artifacts.artifact_name, "commitID": artifacts.commit_id}
    return [named] if any(named.values()) else []


def _pod(status: Status) -> str:
    runs = next((step.runs for step in status.steps if step.name == status.step), ())
    return runs[-1].pod if runs else ""


def _step(step: StepStatus) -> dict[str, Any]:
    return {
        "name": step.name,
        "state": step.state,
        "exitCode": step.exit_code,
        "message": step.message,
        "startedAt": step.started,
        "finishedAt": step.finished,
        "progress": step.progress,
        "attempts": [_attempt(run) for run in step.runs],
    }


def _attempt(run: PodRun) -> dict[str, Any]:
    return {
        "attempt": run.attempt,
        "podName": run.pod,
        "state": run.state,
        "exitCode": run.exit_code,
        "message": run.message,
        "startedAt": run.started,
        "finishedAt": run.finished,
    }
