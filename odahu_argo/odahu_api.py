"""The JSON documents of ODAHU's API: trainings in both directions, and secret values in base64.

Source: odahu-flow 1.6, packages/operator/pkg/apis.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast, get_args

from odahu_argo.manifest.secrets import SECRET_FIELDS, is_text, secret_text
from odahu_argo.resources.connection_secret import MASK
from odahu_argo.status.model import Artifacts, PodRun, QueuePlace, State, Status, StepState, StepStatus
from odahu_argo.status.unstructured import integer, mapping, sequence, text
from odahu_argo.trainings.model import Attempt, LocalRun, Training

Document = dict[str, Any]
"""A training, connection or toolchain as JSON: kind, id, createdAt, updatedAt, spec, status."""

PREFIX = "/api/v1"
MAX_PAGE_SIZE = 500
"""ODAHU's MaxSize."""
USER_AGENT = "odahu-argo"
"""Value of the request header User-Agent of odahu-argo's command line."""
CHANGED_HEADER = "Odahu-Argo-Changed"
"""Response header of a PUT request, `true` or `false`. An addition to ODAHU's API."""
TOTAL_HEADER = "Odahu-Argo-Total"
"""Response header of a list of trainings: the number of trainings on all pages. An addition to ODAHU's API."""
_ENCODED_FIELDS = (*SECRET_FIELDS, "publicKey")


def training_to_api(training: Training) -> Document:
    """Return the document of a training with the status of its newest attempt.

    Its steps include the completed steps of resumed attempts. `status.argo`, and `status.local` on this machine, are
    additions to ODAHU's API.
    """
    if training.document is not None:
        return dict(training.document)
    newest = training.newest
    return {
        "kind": "ModelTraining",
        "id": training.id,
        "createdAt": training.created,
        "updatedAt": training.updated,
        "spec": dict(newest.spec),
        "status": _attempt_status(newest, training.steps),
    }


def history_to_api(training: Training) -> list[Document]:
    """Return a document for each attempt, newest first."""
    return [
        {
            "id": training.id,
            "attempt": attempt.number,
            "createdAt": attempt.created,
            "spec": dict(attempt.spec),
            "status": _attempt_status(attempt, attempt.status.steps),
        }
        for attempt in reversed(training.attempts)
    ]


def training_from_api(document: Mapping[str, Any]) -> Training:
    """Read the document of a training. Missing fields are empty; `Training.document` keeps the document itself."""
    status, spec = mapping(document.get("status")), mapping(document.get("spec"))
    created = text(document.get("createdAt"))
    argo, local = mapping(status.get("argo")), status.get("local")
    attempt = Attempt(
        number=integer(argo.get("attempt")) or 0,
        workflow=text(argo.get("workflow")),
        uid="",
        created=text(argo.get("createdAt")) or created,
        digest="",
        spec=spec,
        status=_status_from_api(status),
        seen=text(argo.get("seen")),
        is_gone=argo.get("gone") is True,
        local=None if local is None else _local_from_api(status, text(document.get("updatedAt"))),
    )
    return Training(text(document.get("id")), (attempt,), document)


def status_to_api(status: Status) -> Document:
    """Return the `status` of a training that ran on a cluster. `podName` is the last pod of the step in `status.step`."""
    runs = next((step.runs for step in status.steps if step.name == status.step), ())
    return {
        "state": status.state,
        "reason": status.reason,
        "message": status.message,
        "exitCode": status.exit_code,
        **({"podName": runs[-1].pod} if runs and runs[-1].pod else {}),
        "artifacts": artifacts_to_api(status.artifacts),
        "argo": {
            "workflow": status.workflow,
            "phase": status.phase,
            "step": status.step,
            "hint": status.hint,
            **({"queue": asdict(status.queue)} if status.queue else {}),
            "startedAt": status.started,
            "finishedAt": status.finished,
            "steps": [_step_to_api(step) for step in status.steps],
        },
    }


def artifacts_to_api(artifacts: Artifacts) -> list[dict[str, str]]:
    """Return the artifacts as ODAHU lists them: one entry, or none before anything is known."""
    entry = {"runId": artifacts.run_id, "artifactName": artifacts.artifact_name, "commitID": artifacts.commit_id}
    return [entry] if any(entry.values()) else []


def encode_secrets(document: Document) -> Document:
    """Return the document of a connection with its secret values and `publicKey` in base64. Masked values stay.

    `secretEncoding` reports the encoding if there is a secret value. Values of `status.undecoded` stay as they were sent, and
    such a document has no `secretEncoding`, so that a client may send it again. Source: ODAHU's connection_service.go,
    EncodeBase64Fields.
    """
    spec = dict(document["spec"])
    if spec.get("secretEncoding") == "base64":
        return document
    undecoded = document["status"].get("undecoded", ())
    encoded = [name for name in _ENCODED_FIELDS if spec.get(name, MASK) != MASK and name not in undecoded]
    spec |= {name: b64encode(spec[name].encode()).decode() for name in encoded}
    if "secretEncoding" in spec:
        spec["secretEncoding"] = "base64"
    if undecoded:
        spec.pop("secretEncoding", None)
    return {**document, "spec": spec}


def decode_secrets(document: Document) -> Document:
    """Reverse `encode_secrets`. Values that are not base64 stay, and so do all values if one is not text."""
    spec = dict(document["spec"])
    undecoded = mapping(document.get("status")).get("undecoded") or ()
    names = [name for name in _ENCODED_FIELDS if isinstance(spec.get(name), str) and spec[name] != MASK]
    decoded = {name: _decode(spec[name]) for name in names if name not in undecoded}
    if not all(map(is_text, decoded.values())):
        return {**document, "spec": {**spec, "secretEncoding": "base64"}}
    spec |= decoded
    if "secretEncoding" in spec or (undecoded and names):
        spec["secretEncoding"] = "plain"
    return {**document, "spec": spec}


def _decode(value: str) -> str:
    try:
        return secret_text(b64decode(value, validate=True))
    except ValueError:
        return value


def _attempt_status(attempt: Attempt, steps: tuple[StepStatus, ...]) -> Document:
    if attempt.local is not None:
        return _local_status(attempt.status, attempt.local)
    document = status_to_api(replace(attempt.status, steps=steps))
    document["argo"] |= {
        "workflow": attempt.workflow,
        "attempt": attempt.number,
        "createdAt": attempt.created,
        "seen": attempt.seen,
        "gone": attempt.is_gone,
    }
    return document


def _local_status(status: Status, local: LocalRun) -> Document:
    keys = ("name", "state", "exitCode", "message", "startedAt", "finishedAt")
    steps = [_step_to_api(step) for step in status.steps]
    return {
        "state": status.state,
        "reason": local.reason,
        "exitCode": status.exit_code,
        "artifacts": artifacts_to_api(status.artifacts),
        "local": {
            "artifactUri": local.artifact_uri,
            "logs": local.logs,
            "steps": [{key: step[key] for key in keys} for step in steps],
        },
    }


def _step_to_api(step: StepStatus) -> Document:
    return {
        "name": step.name,
        "state": step.state,
        "exitCode": step.exit_code,
        "message": step.message,
        "startedAt": step.started,
        "finishedAt": step.finished,
        "progress": step.progress,
        "attempts": [
            {
                "attempt": run.attempt,
                "podName": run.pod,
                "state": run.state,
                "exitCode": run.exit_code,
                "message": run.message,
                "startedAt": run.started,
                "finishedAt": run.finished,
            }
            for run in step.runs
        ],
    }


def _status_from_api(status: Mapping[str, Any]) -> Status:
    """On this machine `status.reason` is a sentence, which belongs into the message."""
    is_local = "local" in status
    details = mapping(status.get("local") if is_local else status.get("argo"))
    steps = tuple(_step_from_api(mapping(step)) for step in sequence(details.get("steps")))
    failed = next((step for step in steps if step.state == "failed"), None)
    reason = text(status.get("reason"))
    message = reason if is_local else text(status.get("message"))
    artifacts = [mapping(entry) for entry in sequence(status.get("artifacts"))]
    last = artifacts[-1] if artifacts else {}
    return Status(
        state=_state(status.get("state")),
        reason="" if is_local else reason,
        message=message or (failed.message if failed else ""),
        hint=text(details.get("hint")),
        exit_code=integer(status.get("exitCode")),
        step=text(details.get("step")) or (failed.name if failed else ""),
        started=text(details.get("startedAt")),
        finished=text(details.get("finishedAt")),
        artifacts=Artifacts(text(last.get("runId")), text(last.get("artifactName")), text(last.get("commitID"))),
        steps=steps,
        phase=text(details.get("phase")),
        workflow=text(details.get("workflow")),
        queue=_queue_from_api(mapping(details.get("queue"))),
    )


def _queue_from_api(queue: Mapping[str, Any]) -> QueuePlace | None:
    name, position, length = text(queue.get("name")), integer(queue.get("position")), integer(queue.get("length"))
    return QueuePlace(name, position or 0, length or 0) if name else None


def _local_from_api(status: Mapping[str, Any], updated: str) -> LocalRun:
    local = mapping(status.get("local"))
    return LocalRun(text(status.get("reason")), updated, text(local.get("artifactUri")), text(local.get("logs")))


def _step_from_api(step: Mapping[str, Any]) -> StepStatus:
    progress = step.get("progress")
    return StepStatus(
        name=text(step.get("name")),
        state=_step_state(step.get("state")),
        message=text(step.get("message")),
        exit_code=integer(step.get("exitCode")),
        started=text(step.get("startedAt")),
        finished=text(step.get("finishedAt")),
        progress=progress if isinstance(progress, float) else None,
        runs=tuple(_run_from_api(mapping(run)) for run in sequence(step.get("attempts"))),
    )


def _run_from_api(run: Mapping[str, Any]) -> PodRun:
    return PodRun(
        node_id="",
        attempt=integer(run.get("attempt")) or 0,
        state=_step_state(run.get("state")),
        message=text(run.get("message")),
        exit_code=integer(run.get("exitCode")),
        started=text(run.get("startedAt")),
        finished=text(run.get("finishedAt")),
        pod=text(run.get("podName")),
    )


def _state(value: object) -> State:
    return cast("State", value) if value in get_args(State) else "unknown"


def _step_state(value: object) -> StepState:
    return cast("StepState", value) if value in get_args(StepState) else "unknown"
