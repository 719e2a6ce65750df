"""What a store's refusal means to a user: a mistake to mend, or a fault worth another try. Shared by all stores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.asking import Refused

AGAIN = "try again later"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The codes of one kind of store: what they mean and how to mend it, and which of them say that it is busy.

    `remedy` is the advice for a refusal with a code that is not listed. `lost` are the codes for an upload whose first
    parts the server does not have any more.
    """

    meanings: Mapping[str, tuple[str, str]]
    busy: Collection[str]
    remedy: str
    lost: Collection[str] = ()

    def refusal(self, what: str, status: int, code: str) -> OdahuArgoError:
        """The error for an answer with this HTTP status and code.

        The server's own words are left out, for they may repeat parts of the request.
        """
        if code in self.meanings:
            reason, hint = self.meanings[code]
            return UserError(f"{what}: {reason} ({code})", hint=hint)
        if code in self.lost:
            return parts_lost(what)
        if status >= 500 or code in self.busy:
            return ServiceFault(f"{what}: the server answered {status} {code}", hint=AGAIN)
        return UserError(f"{what}: the server refused it ({status} {code})", hint=self.remedy)


@contextmanager
def in_plain_words(
    what: str,
    where: str,
    refusal: Callable[[str, int, str], OdahuArgoError],
    by_library: Callable[[str, str, Exception], OdahuArgoError | None],
) -> Iterator[None]:
    """Turn what is raised into `UserError` or `ServiceFault`; secrets stay out.

    `refusal` tells a server's refusal by status and code, `by_library` what the cloud's library raises, None of all else.
    """
    try:
        yield
    except OdahuArgoError:
        raise
    except Refused as refused:
        raise refusal(what, refused.status, refused.code) from refused
    except Exception as error:
        if told := by_library(what, where, error):
            raise told from error
        raise


def parts_lost(what: str) -> ServiceFault:
    """The error for an upload in parts that the server has forgotten meanwhile."""
    return ServiceFault(f"{what}: the server has lost the parts that were sent", hint=AGAIN)


def unreachable(what: str, where: str, error: Exception, hint: str) -> ServiceFault:
    """The error for a server that does not answer, or stops in the middle."""
    return ServiceFault(f"{what}: the server{_at(where)} cannot be reached or broke off ({type(error).__name__})", hint)


def untrusted(what: str, where: str, variable: str) -> UserError:
    """The error for a certificate that is not trusted; `variable` names the file of trusted authorities."""
    return UserError(
        f"{what}: the server{_at(where)} has a certificate that is not trusted",
        hint=f"check the endpoint, or name the authority's file in {variable}",
    )


def _at(where: str) -> str:
    return f" at {where}" if where else ""
