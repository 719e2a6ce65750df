"""Every error a user can meet, and the exit code each one ends with.

    OdahuArgoError           1   a fault of the program itself
    ├── UserError            2   a manifest, profile, option or training program is wrong
    ├── ServiceFault         3   a server, network or disk failed; trying again may help
    ├── TrainingFailed       4   the training ran, and ended as failed
    └── StillRunning         5   the training goes on; the time to wait for it was up

An error carries one or more problems. A problem says what is wrong, where, and how to mend it.
This module knows nothing of manifests, Argo or terminals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_MESSAGE = 2000
"""Characters. A message that quotes what the user wrote must not fill a terminal with it."""
LONGEST_FIELD = 200
MOST_PROBLEMS = 100
"""That one error tells."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file: the file's name as the user gave it, a line from 1, a field such as `spec.model.name`.

    Of a field that is too long to be read, the middle is left out.
    """

    file: str | None = None
    line: int | None = None
    field: str | None = None

    def __post_init__(self) -> None:
        if self.field is not None:
            object.__setattr__(self, "field", _shortened(self.field, LONGEST_FIELD))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.field) if part)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or fault: `message` says what is wrong, `hint` how to mend it. Neither is endless."""

    message: str
    where: Where = Where()
    hint: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _shortened(self.message, LONGEST_MESSAGE))
        if self.hint is not None:
            object.__setattr__(self, "hint", _shortened(self.hint, LONGEST_MESSAGE))

    def __str__(self) -> str:
        place = str(self.where)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest * 3 // 4]} … {text[-longest // 4 + 3 :]}"


class OdahuArgoError(Exception):
    """The root of the tree: `problems` is never empty, `exit_code` is what the command line ends with."""

    http_status = 500
    exit_code = 1

    def __init__(self, problems: str | Problem | Iterable[Problem], hint: str | None = None):
        if isinstance(problems, str):
            problems = Problem(problems, hint=hint)
        told = (problems,) if isinstance(problems, Problem) else tuple(problems)
        more = (Problem(f"and {len(told) - MOST_PROBLEMS} more problems"),) if len(told) > MOST_PROBLEMS else ()
        self.problems: tuple[Problem, ...] = told[:MOST_PROBLEMS] + more
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UserError(OdahuArgoError):
    """What the user wrote cannot work as it stands; repeating it unchanged would fail again."""

    http_status = 400
    exit_code = 2


class ServiceFault(OdahuArgoError):
    """Something outside failed that may work on the next try: a server, the network, a full disk."""

    http_status = 503
    exit_code = 3


class TrainingFailed(OdahuArgoError):
    """A training was run and its state is `failed`."""

    exit_code = 4


class StillRunning(OdahuArgoError):
    """A training had not ended when the time to wait for it was up."""

    exit_code = 5


class NotFound(UserError):
    """There is no such object."""

    http_status = 404


class AlreadyExists(UserError):
    """An object of that name is there already; nothing was changed."""

    http_status = 409


class Forbidden(UserError):
    """The account may not do this (401, 403)."""

    http_status = 403


class Unauthorized(Forbidden):
    """The cluster does not accept these credentials, perhaps no longer (401)."""


class Rejected(UserError):
    """The API finds the object wrong (400, 413, 422)."""


class TooLarge(UserError):
    """The input is larger than Kubernetes accepts."""

    http_status = 413


class Conflict(ServiceFault):
    """Somebody else has changed the object since it was read; read it again."""

    http_status = 409


class Expired(ServiceFault):
    """The resource version is too old to watch from (410); list again."""


class Unreachable(ServiceFault):
    """No answer, a broken connection, or an answer that says the API is not well (429, 5xx). It may have been carried out."""


ANSWERS: tuple[type[OdahuArgoError], ...] = (
    NotFound,
    AlreadyExists,
    Forbidden,
    Rejected,
    Conflict,
    Expired,
    Unreachable,
)
