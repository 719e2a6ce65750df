"""What Google answers or its libraries raise, in plain words: the user's to mend, or worth another try."""

from __future__ import annotations

from contextlib import AbstractContextManager

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.answers import AGAIN, Dialect, in_plain_words, unreachable, untrusted

_NETWORK_HINT = "check endpoint of the connection, and the network"
_IDENTITY_HINT = "give the connection a keySecret, or run with a service account that has an identity"
_DIALECT = Dialect(
    {
        "400": ("the request was refused as wrong", "check the bucket in the connection's uri"),
        "401": ("the credentials are not accepted", "check keySecret of the connection"),
        "403": ("access is denied", "the identity needs storage.objects.list, .get, .create and .delete there"),
        "404": ("there is no such bucket", "check the bucket in the connection's uri"),
    },
    busy=("408", "429"),
    remedy="check uri, keySecret and endpoint of the connection",
    lost=("410",),
)


def gcs_errors(action: str, url: str, where: str = "") -> AbstractContextManager[None]:
    """Turn what is raised while the store does `action` to `url` into `UserError` or `ServiceFault`; secrets stay out."""
    return in_plain_words(f"cannot {action} {url}", where, _refusal, _by_sdk)


def _refusal(what: str, status: int, _code: str = "") -> OdahuArgoError:
    """Google's answers are told by their status alone."""
    return _DIALECT.refusal(what, status, str(status))


def _by_sdk(what: str, where: str, error: Exception) -> OdahuArgoError | None:
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from requests import RequestException
    from requests.exceptions import SSLError
    from urllib3.exceptions import HTTPError

    match error:
        case api.RetryError(cause=Exception() as cause):
            return _by_sdk(what, where, cause)
        case api.GoogleAPICallError():
            return _refusal(what, int(error.code or 0))
        case InvalidResponse():
            return _refusal(what, int(error.response.status_code))
        case auth.DefaultCredentialsError():
            return UserError(f"{what}: there are no credentials", hint=_IDENTITY_HINT)
        case auth.RefreshError(retryable=False):
            return UserError(
                f"{what}: Google does not accept the key or identity",
                hint="check that keySecret of the connection is a service account's key, neither deleted nor disabled",
            )
        case DataCorruption():
            return ServiceFault(f"{what}: the content came damaged, its checksum is another", hint=AGAIN)
        case SSLError():
            return untrusted(what, where, "REQUESTS_CA_BUNDLE")
        case auth.GoogleAuthError() | RequestException() | HTTPError() | ConnectionError():
            return unreachable(what, where, error, _NETWORK_HINT)
        case api.RetryError():
            return ServiceFault(f"{what}: {type(error).__name__}", hint=AGAIN)
        case _:
            return None
