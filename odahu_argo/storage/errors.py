"""Maps failures of obstore to UserError and ServiceFault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError

RETRY_HINT = "try again later"
_TEMPORARY_STATUS = (408, 425, 429)
_TEMPORARY_CODES = (
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestTimeout",
    "RequestLimitExceeded",
    "ServerBusy",
)
_LOST_UPLOAD = ("NoSuchUpload", "InvalidBlockList")


class StoreUnavailable(ServiceFault):
    """The store did not answer or reported a temporary failure. The same request may succeed later."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request: HTTP status and the store's error code, or the reason why there was no complete answer.

    `status` is 0 if there was no answer, `code` is the status if the store sent no code.
    """

    status: int
    code: str
    reason: str
    message: str

    @classmethod
    def parse(cls, error: Exception) -> Failure:
        """Read an exception of obstore, which has no other structure than its text."""
        message = str(error)
        status = re.search(r"Server returned non-2xx status code: (\d{3})", message)
        code = re.search(r"<Code>([\w.-]+)</Code>", message)
        if status:
            return cls(int(status[1]), code[1] if code else status[1], "", message)
        return cls(0, "", _reason(message), message)

    @property
    def has_code(self) -> bool:
        """Whether the answer contained an error code besides the status."""
        return self.code != str(self.status)

    @property
    def is_redirect(self) -> bool:
        """Whether the server redirected the request without an address, as Amazon S3 does for a bucket of another region."""
        return "Received redirect without LOCATION" in self.message

    @property
    def is_range_ignored(self) -> bool:
        """Whether the server sent the whole object for a range request."""
        return "Received non-partial response" in self.message

    @property
    def is_untrusted(self) -> bool:
        """Whether the server's certificate was rejected."""
        return "InvalidCertificate" in self.message or "invalid peer certificate" in self.message

    @property
    def is_about_credentials(self) -> bool:
        """Whether obstore got no credentials from its provider."""
        return "credential provider" in self.message.partition("\n")[0]

    @property
    def invalid_key(self) -> str | None:
        """The key of a listed object that obstore cannot represent."""
        if "Encountered object with invalid path" not in self.message:
            return None
        key = re.search(r'Path "(.*?)"(?::| contained)', self.message, re.DOTALL)
        return key[1] if key else ""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What a store's error codes mean and how to fix them; `hint` is the advice for every other code."""

    meanings: Mapping[str, tuple[str, str]]
    hint: str
    ca_variable: str
    """The environment variable for the file with trusted certificate authorities."""

    def error(self, what: str, server: str, failure: Failure) -> OdahuArgoError:
        """Return the error to raise. The store's own message is left out because it may repeat parts of the request."""
        if failure.status:
            return self.refusal(what, failure.status, failure.code)
        if failure.is_redirect:
            return self.refusal(what, 301, "PermanentRedirect")
        if failure.is_untrusted:
            return self.untrusted(what, server)
        return unreachable(what, server, failure.reason)

    def untrusted(self, what: str, server: str) -> UserError:
        """Return the error for a server certificate that is not trusted."""
        return UserError(
            f"{what}: the certificate of {server} is not trusted",
            hint=f"check the endpoint, or set {self.ca_variable} to the file of the certificate authority",
        )

    def refusal(self, what: str, status: int, code: str) -> OdahuArgoError:
        """Return the error for an HTTP status and the store's code."""
        if code in self.meanings:
            reason, hint = self.meanings[code]
            return UserError(f"{what}: {reason} ({code})", hint=hint)
        if code in _LOST_UPLOAD:
            return ServiceFault(f"{what}: the server lost the parts uploaded so far ({code})", hint=RETRY_HINT)
        if status >= 500 or status in _TEMPORARY_STATUS or code in _TEMPORARY_CODES:
            return StoreUnavailable(f"{what}: the server answered {status} {code}", hint=RETRY_HINT)
        return UserError(f"{what}: the server refused the request ({status} {code})", hint=self.hint)


def unreachable(what: str, server: str, reason: str) -> StoreUnavailable:
    """Return the error for a server that does not answer or closes the connection early."""
    return StoreUnavailable(
        f"{what}: connection to {server} failed ({reason})",
        hint="check endpoint, region and uri of the connection, and the network",
    )


def invalid_key(url: str) -> UserError:
    """Return the error for an object whose key cannot be a file path."""
    return UserError(
        f"the key {url!r} cannot become a file path",
        hint="rename the object; keys with `.`, `..` or empty segments and with control characters are not supported",
    )


def _reason(message: str) -> str:
    if os_error := re.search(r"kind: (\w+),\s+message: ", message):
        return os_error[1]
    if "dns error" in message:
        return "host name not found"
    if "TimedOut" in message or "timed out" in message:
        return "timeout"
    kind = re.search(r"kind: (\w+)", message)
    return kind[1] if kind else "no complete answer"
