"""What ODAHU's API and those who ask it agree on: where it is, how long its pages are, secret values in base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

from odahu_argo.manifest.secrets import SECRET_FIELDS
from odahu_argo.resources.connection_secret import MASK
from odahu_argo.status.model import Artifacts, PodRun, Status, StepStatus
from odahu_argo.trainings.model import Attempt, Training

PREFIX = "/api/v1"
PAGE = 500
"""The longest page; ODAHU's MaxSize."""
CHANGED = "Odahu-Argo-Changed"
"""The header by which an answer to PUT says `true` or `false`; ours."""
_ENCODED = (*SECRET_FIELDS, "publicKey")


def as_base64(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a connection with its secret values and `publicKey` in base64; masks stay.

    `secretEncoding` says so where a secret value is there. ODAHU: connection_service.go, EncodeBase64Fields.
    """
    spec = dict(form["spec"])
    encoded = [name for name in _ENCODED if spec.get(name, MASK) != MASK]
    spec |= {name: b64encode(spec[name].encode()).decode() for name in encoded}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "base64"
    return {**form, "spec": spec}


def as_plain(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a connection that `as_base64` has given, as it was before. What is no base64 stays as it is."""
    spec = dict(form["spec"])
    spec |= {name: _decoded(spec[name]) for name in _ENCODED if isinstance(spec.get(name), str) and spec[name] != MASK}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "plain"
    return {**form, "spec": spec}


def _decoded(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return value


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


def odahu_form_odahu_form(training: Training) -> dict[str, Any]:
    """id, spec, status and times by ODAHU's names, of the newest attempt; `status.argo` is ours.

    Its steps are all, also those that an earlier attempt has done for the newest.
    """
    newest = training.newest
    return {
        "kind": "ModelTraining",
        "id": training.id,
        "createdAt": training.created,
        "updatedAt": training.updated,
        "spec": dict(newest.spec),
        "status": _status(replace(newest, status=replace(newest.status, steps=training.steps))),
    }


def history_form(training: Training) -> list[dict[str, Any]]:
    """Every attempt, the newest first."""
    return [
        {
            "id": training.id,
            "attempt": attempt.number,
            "createdAt": attempt.created,
            "spec": dict(attempt.spec),
            "status": _status(attempt),
        }
        for attempt in reversed(training.attempts)
    ]


def _status(attempt: Attempt) -> dict[str, Any]:
    form = odahu_form(attempt.status)
    ours = {
        "workflow": attempt.workflow,
        "attempt": attempt.number,
        "createdAt": attempt.created,
        "seen": attempt.seen,
        "gone": attempt.is_gone,
    }
    return {**form, "argo": {**form.get("argo", {}), **ours}}
