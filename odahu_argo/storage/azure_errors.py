"""What Azure answers or its libraries raise, in plain words: the user's to mend, or worth another try."""

from __future__ import annotations

from contextlib import AbstractContextManager

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.answers import AGAIN, Dialect, in_plain_words, unreachable, untrusted

_KEY_HINT = "check keySecret of the connection: it may be of another account, or expired"
_RIGHTS_HINT = (
    f"{_KEY_HINT}; it must be allowed to read, write and list in the container,"
    " as an identity with the role Storage Blob Data Contributor is"
)
_DIALECT = Dialect(
    {
        "ContainerNotFound": ("there is no such container", "check the container in the connection's uri"),
        "ContainerBeingDeleted": ("the container is being deleted", "check the container in the connection's uri"),
        "BlobNotFound": ("there is no such object", "check remotePath and the connection's uri"),
        "ResourceNotFound": ("there is no such object or container", "check remotePath and the connection's uri"),
        "AuthenticationFailed": ("the key or SAS token is not accepted", _KEY_HINT),
        "InvalidAuthenticationInfo": ("the key or SAS token is not accepted", _KEY_HINT),
        "NoAuthenticationInformation": ("the server wants a key or SAS token", "give the connection a keySecret"),
        "PublicAccessNotPermitted": ("the server wants a key or SAS token", "give the connection a keySecret"),
        "AuthorizationFailure": ("access is denied", f"{_RIGHTS_HINT}, and a network that the account lets in"),
        "AuthorizationPermissionMismatch": ("access is denied", _RIGHTS_HINT),
        "AuthorizationResourceTypeMismatch": ("the SAS token is for something else", _RIGHTS_HINT),
        "AuthorizationServiceMismatch": ("the SAS token is for another service", "make one for Blob"),
        "KeyBasedAuthenticationNotPermitted": ("the account takes no keys", "use a SAS token or an identity"),
        "InsufficientAccountPermissions": ("access is denied", _RIGHTS_HINT),
        "AccountIsDisabled": ("the account is disabled", "check the account in the connection's uri"),
        "BlobArchived": ("the object is archived", "bring it back to an online tier first"),
        "InvalidResourceName": ("this is no valid name", "check container and path in the connection's uri"),
    },
    busy=("ConditionNotMet", "ServerBusy", "TooManyRequests", "408", "429"),
    remedy="check uri and keySecret of the connection",
    lost=("InvalidBlockList",),
)


def azure_errors(action: str, url: str, where: str = "") -> AbstractContextManager[None]:
    """Turn what is raised while the store does `action` to `url` into `UserError` or `ServiceFault`; secrets stay out."""
    return in_plain_words(f"cannot {action} {url}", where, _DIALECT.refusal, _by_sdk)


def _by_sdk(what: str, where: str, error: Exception) -> OdahuArgoError | None:
    from azure.core.exceptions import AzureError

    return _plainly(what, where, error) if isinstance(error, AzureError) else None


def _plainly(what: str, where: str, error: Exception) -> OdahuArgoError:
    from azure.core import exceptions as azure
    from requests.exceptions import SSLError

    match error:
        case azure.ServiceRequestError() | azure.ServiceResponseError() | azure.DecodeError():
            if isinstance(error.inner_exception, SSLError):
                return untrusted(what, where, "REQUESTS_CA_BUNDLE")
            return unreachable(what, where, error, "check uri and endpoint of the connection, and the network")
        case azure.HttpResponseError(status_code=int() as status):
            code = getattr(error, "error_code", None) or status
            return _DIALECT.refusal(what, status, str(getattr(code, "value", code)))
        case azure.HttpResponseError(inner_exception=azure.AzureError() as inner):
            return _plainly(what, where, inner)
        case azure.ClientAuthenticationError():
            return UserError(
                f"{what}: this machine has no identity that Azure knows",
                hint="give the connection a keySecret, or run with a managed identity",
            )
        case _:
            return ServiceFault(f"{what}: {type(error).__name__}", hint=AGAIN)
