"""A training of this machine as plain data, in the form of ODAHU's API."""

from __future__ import annotations

import json
from typing import Any

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining


def odahu_form(training: LocalTraining, home: Home) -> dict[str, Any]:
    """id, spec, status and times by ODAHU's names; `status.local` is ours: where zip and logs lie, and the steps."""
    artifact = {"runId": training.run_id, "artifactName": training.artifact_name, "commitID": training.commit_id}
    return {
        "kind": "ModelTraining",
        "id": training.id,
        "createdAt": training.created,
        "updatedAt": training.updated,
        "spec": _spec(training),
        "status": {
            "state": training.state,
            "reason": training.reason,
            "exitCode": training.exit_code,
            "artifacts": [artifact] if any(artifact.values()) else [],
            "local": {
                "artifactUri": training.artifact_uri,
                "logs": str(home.run(training.id).logs),
                "steps": [
                    {
                        "name": step.name,
                        "state": step.state,
                        "exitCode": step.exit_code,
                        "message": step.message,
                        "startedAt": step.started,
                        "finishedAt": step.finished,
                    }
                    for step in training.steps
                ],
            },
        },
    }


def _spec(training: LocalTraining) -> dict[str, Any]:
    if training.spec:
        return dict(json.loads(training.spec))
    model = {"name": training.model_name, "version": training.model_version}
    return {"model": model, "toolchain": training.toolchain}
