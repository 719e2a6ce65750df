"""What is refused to those who ask, and what HTTP calls every error."""

from __future__ import annotations

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.naming import LABEL_PATTERN
from odahu_argo.submit.cluster import AlreadyExists, Conflict, Denied, NotFound


class NotAuthenticated(UserError):
    """No token, or one that is not accepted."""


class NotPermitted(UserError):
    """The caller is known, and may not do this."""


class NotAllowed(UserError):
    """What the server stands on cannot do this at all."""


class TooLarge(UserError):
    """The body is longer than any manifest."""


STATUS_CODES: tuple[tuple[type[OdahuArgoError], int], ...] = (
    (NotAuthenticated, 401),
    (NotPermitted, 403),
    (Denied, 403),
    (NotFound, 404),
    (NotAllowed, 405),
    (AlreadyExists, 409),
    (Conflict, 409),
    (TooLarge, 413),
    (UserError, 400),
    (ServiceFault, 503),
    (OdahuArgoError, 500),
)
"""The first that fits counts."""


def status_code(error: OdahuArgoError) -> int:
    """What HTTP calls the error."""
    return next(code for kind, code in STATUS_CODES if isinstance(error, kind))


def require_possible(training_id: str) -> str:
    """The id, where there can be a training of it: it goes into names and label selectors.

    Raises:
        NotFound: no training can be called so.
    """
    if not LABEL_PATTERN.fullmatch(training_id):
        raise NotFound(f"there is no training {training_id[:63]!r}")
    return training_id
