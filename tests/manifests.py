"""A small training and its connections for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from odahu_argo import build_plans, load, resolve
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile

CONNECTIONS = """\
kind: Connection
id: code
spec: {type: git, uri: https://git.example.org/ml/code.git, reference: develop}
---
kind: Connection
id: wine-data
spec: {type: s3, uri: s3://wine/data/}
"""


def training(**spec: Any) -> dict[str, Any]:
    """Return a ModelTraining. Keyword arguments replace fields of its spec; None removes a field."""
    fields: dict[str, Any] = {
        "model": {"name": "wine", "version": "1.0"},
        "toolchain": "mlflow",
        "vcsName": "code",
        "data": [{"connName": "wine-data", "localPath": "data/"}],
        **spec,
    }
    return {"kind": "ModelTraining", "id": "wine", "spec": {k: v for k, v in fields.items() if v is not None}}


def write(directory: Path, *documents: dict[str, Any], connections: str = CONNECTIONS) -> Path:
    """Write the documents and connections to one file."""
    file = directory / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(documents, sort_keys=False) + "---\n" + connections, encoding="utf-8")
    return file


def plan(directory: Path, profile: Profile | None = None, **spec: Any) -> Plan:
    """Return the plan of the training."""
    settings = profile or Profile()
    [planned] = build_plans(resolve(load([write(directory, training(**spec))]), settings), settings)
    return planned


def problems(error: BaseException) -> list[str]:
    """Return the problems of an error as `field: message` lines, without the file."""
    return [f"{problem.location.field}: {problem.message}" for problem in error.problems]  # type: ignore[attr-defined]
