"""Exceptions with user-facing problems, and their exit codes.

    OdahuArgoError           1   internal error
    ├── UserError            2   invalid manifest, profile, option or training program
    ├── ServiceFault         3   failure of a server, network or disk; a retry may succeed
    ├── TrainingFailed       4   the training failed
    └── StillRunning         5   the training is still running after the time-out of a wait

An exception contains one or more problems. A problem has a message, a location and a hint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_MESSAGE_LENGTH = 2000
"""Limit on messages, which may quote user input."""
MAX_FIELD_LENGTH = 200
MAX_PROBLEMS = 100
"""Limit on the problems of one exception."""


@dataclass(frozen=True, slots=True)
class Location:
    """Location of a problem: file name as specified by the user, line from 1, and field such as `spec.model.name`.

    The middle of a very long field is omitted.
    """

    file: str | None = None
    line: int | None = None
    field: str | None = None

    def __post_init__(self) -> None:
        if self.field is not None:
            object.__setattr__(self, "field", _shorten(self.field, MAX_FIELD_LENGTH))

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (position, self.field) if part)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: `message` describes the error, `hint` the fix. Very long texts are shortened.

    `entity` is the ID of the training, connection or toolchain that is missing or that exists already.
    """

    message: str
    location: Location = Location()
    hint: str | None = None
    entity: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _shorten(self.message, MAX_MESSAGE_LENGTH))
        if self.hint is not None:
            object.__setattr__(self, "hint", _shorten(self.hint, MAX_MESSAGE_LENGTH))

    @property
    def text_with_field(self) -> str:
        """`field: message`, for readers who see neither file nor line."""
        return f"{self.location.field}: {self.message}" if self.location.field else self.message

    def __str__(self) -> str:
        location = str(self.location)
        text = f"{location}: {self.message}" if location else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit * 3 // 4]} … {text[-limit // 4 + 3 :]}"


class OdahuArgoError(Exception):
    """Base class. `problems` is never empty; `exit_code` is the exit code of the command line."""

    http_status = 500
    exit_code = 1

    def __init__(self, problems: str | Problem | Iterable[Problem], hint: str | None = None, entity: str | None = None):
        if isinstance(problems, str):
            problems = Problem(problems, hint=hint, entity=entity)
        items = (problems,) if isinstance(problems, Problem) else tuple(problems)
        omitted = len(items) - MAX_PROBLEMS
        note = (Problem(f"and {omitted} more problems"),) if omitted > 0 else ()
        self.problems: tuple[Problem, ...] = items[:MAX_PROBLEMS] + note
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UserError(OdahuArgoError):
    """Invalid input; a retry with the same input fails again."""

    http_status = 400
    exit_code = 2


class ServiceFault(OdahuArgoError):
    """Failure of a server, the network or the disk; a retry may succeed."""

    http_status = 503
    exit_code = 3


class TrainingFailed(OdahuArgoError):
    """The training failed."""

    exit_code = 4


class StillRunning(OdahuArgoError):
    """The training did not finish before the time-out of a wait."""

    exit_code = 5


class NotFound(UserError):
    """The object does not exist (404)."""

    http_status = 404


class AlreadyExists(UserError):
    """An object with this name exists; nothing was changed (409)."""

    http_status = 409


class Forbidden(UserError):
    """The account lacks the permission (401, 403)."""

    http_status = 403


class Unauthorized(Forbidden):
    """The credentials are invalid or have expired (401)."""


class Rejected(UserError):
    """The API rejected the object as invalid (400, 413, 422)."""


class TooLarge(UserError):
    """The input is larger than Kubernetes accepts."""

    http_status = 413


class Conflict(ServiceFault):
    """The object has changed since it was read; read it again (409)."""

    http_status = 409


class Expired(ServiceFault):
    """The resource version is too old for a watch; list again (410)."""


class Unreachable(ServiceFault):
    """No response, a broken connection, or an error of the API (429, 5xx). The request may have been executed."""
