"""ODAHU's sentences for errors of its API, which scripts search for, and hints for callers of the API.

Source: odahu-flow 1.6, packages/operator/pkg/errors and the validators in pkg/apiserver/routes/v1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from odahu_argo.errors import AlreadyExists, NotFound, OdahuArgoError, Problem, UserError

_SUBJECTS = {
    "ModelTraining": "model training",
    "Connection": "connection",
    "ToolchainIntegration": "toolchain integration",
}
_CONNECTION_TYPES = "s3 gcs azureblob git docker ecr"
_REQUIRED: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "ModelTraining": (
        (("spec.model.name",), "empty model.name"),
        (("spec.model.version",), "empty model.version"),
        (
            ("spec.vcsName", "spec.algorithmSource.vcs.connection", "spec.algorithmSource.objectStorage.connection"),
            "both VCS and ObjectStorage names are empty",
        ),
        (("spec.toolchain",), "empty toolchain parameter"),
    ),
    "Connection": ((("spec.uri",), "empty uri"),),
    "ToolchainIntegration": ((("spec.entrypoint",), "empty entrypoint"),),
}
"""Fields of which at least one must have a value, and ODAHU's sentence if all are empty. In the order of ODAHU's checks."""
_PARTS = re.compile(r"(?<=[.?])\s+|;\s+|, or ")
_COMMAND = re.compile(r"odahu-argo [a-z]|(^|[\s(`])--?[a-z]")


class InvalidEntity(UserError):
    """The body of a request is not a valid training, connection or toolchain.

    Attributes:
        kind: Kind of the manifest.
        body: The body as it was sent.
    """

    def __init__(self, kind: str, body: object, problems: Sequence[Problem]):
        self.kind, self.body = kind, body if isinstance(body, Mapping) else {}
        super().__init__(problems)


def odahu_message(error: OdahuArgoError) -> str:
    """Return ODAHU's sentence for an error, or else the messages of its problems."""
    entity = error.problems[0].entity
    if isinstance(error, InvalidEntity):
        return f"Validation of {_SUBJECTS[error.kind]} is failed: {'; '.join(_validation_errors(error))}"
    if entity is not None and isinstance(error, NotFound):
        return f'entity "{entity}" is not found'
    if entity is not None and isinstance(error, AlreadyExists):
        return f'entity "{entity}" already exists'
    return "; ".join(dict.fromkeys(_text(problem) for problem in error.problems))


def neutral_hint(hint: str | None) -> str | None:
    """Return the parts of a hint that do not name commands or options of odahu-argo, or None if there are none."""
    parts = [part for part in _PARTS.split(hint or "") if part and not _COMMAND.search(part)]
    return "; ".join(parts) or None


def _validation_errors(error: InvalidEntity) -> list[str]:
    """Return ODAHU's sentences for empty and unknown values, then the problems that these do not describe."""
    sentences: list[str] = []
    described: list[str] = []
    for fields, sentence in _REQUIRED[error.kind]:
        if not any(_value(error.body, field) for field in fields):
            sentences.append(sentence)
            described += fields
    if any(problem.location.field == "id" for problem in error.problems):
        sentences = ["ID is not valid", *([] if error.body.get("id") else ['empty "ID"']), *sentences]
        described.append("id")
    kind = _value(error.body, "spec.type")
    if error.kind == "Connection" and isinstance(kind, str) and kind not in _CONNECTION_TYPES.split():
        sentences.append(f"unknown type: {kind[:63]}. Supported types: [{_CONNECTION_TYPES}]")
        described.append("spec.type")
    others = [_text(problem) for problem in error.problems if not _is_described(problem, described)]
    return list(dict.fromkeys([*sentences, *others]))


def _is_described(problem: Problem, fields: Sequence[str]) -> bool:
    """Return whether a sentence about one of `fields` describes a problem of this field or of the mapping around it."""
    field = problem.location.field or ""
    return any(f"{described}.".startswith(f"{field}.") for described in fields)


def _value(body: Mapping[str, Any], field: str) -> object:
    """Return the value of a field such as `spec.model.name`, or None if it does not exist."""
    value: object = body
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(problem: Problem) -> str:
    if problem.entity is not None:
        return f'entity "{problem.entity}" is not found'
    return problem.text_with_field
