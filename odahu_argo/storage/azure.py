"""Azure Blob Storage."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from obstore.store import AzureStore as AzureClient

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.cloud import CloudStore, Credentials, client_options
from odahu_argo.storage.errors import RETRY_HINT, ErrorTable, Failure, unreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

    from odahu_argo.storage.azure_address import AzureAddress

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SCOPE = "https://storage.azure.com/.default"
_URI_HINT = "check remotePath and the connection's uri"
_CONTAINER_HINT = "check the container in the connection's uri"
_KEY_HINT = "check keySecret of the connection: it may belong to another account or have expired"
_RIGHTS_HINT = (
    f"{_KEY_HINT}; it needs permission to read, write and list in the container,"
    " as an identity with the role Storage Blob Data Contributor has"
)
_ERRORS = ErrorTable(
    {
        "ContainerNotFound": ("the container does not exist", _CONTAINER_HINT),
        "ContainerBeingDeleted": ("the container is being deleted", _CONTAINER_HINT),
        "BlobNotFound": ("the object does not exist", _URI_HINT),
        "ResourceNotFound": ("the object or container does not exist", _URI_HINT),
        "404": ("the object or container does not exist", _URI_HINT),
        "AuthenticationFailed": ("the key or SAS token is not accepted", _KEY_HINT),
        "InvalidAuthenticationInfo": ("the key or SAS token is not accepted", _KEY_HINT),
        "NoAuthenticationInformation": ("the server requires a key or SAS token", "set keySecret of the connection"),
        "PublicAccessNotPermitted": ("the server requires a key or SAS token", "set keySecret of the connection"),
        "AuthorizationFailure": ("access is denied", f"{_RIGHTS_HINT}, and a network that the account admits"),
        "AuthorizationPermissionMismatch": ("access is denied", _RIGHTS_HINT),
        "403": ("access is denied", _RIGHTS_HINT),
        "AuthorizationResourceTypeMismatch": ("the SAS token is for another type of resource", _RIGHTS_HINT),
        "AuthorizationServiceMismatch": ("the SAS token is for another service", "create one for Blob storage"),
        "KeyBasedAuthenticationNotPermitted": ("the account accepts no keys", "use a SAS token or an identity"),
        "InsufficientAccountPermissions": ("access is denied", _RIGHTS_HINT),
        "AccountIsDisabled": ("the account is disabled", "check the account in the connection's uri"),
        "BlobArchived": ("the object is archived", "move it to an online tier first"),
        "InvalidResourceName": ("the name is invalid", "check container and path in the connection's uri"),
    },
    hint="check uri and keySecret of the connection",
    ca_variable=CA_VARIABLES[0],
)


class AzureStore(CloudStore):
    """A container, accessed with a SAS token, an account key, or else the identity of the machine."""

    def __init__(self, address: AzureAddress) -> None:
        self._address = address
        self._has_identity = not (address.sas or address.account_key)
        super().__init__(f"{address.account_url}/{address.container}", address.account_url, _ERRORS)
        with self.preparation_errors():
            self.credentials = Credentials(_identity() if self._has_identity else lambda: _key(address))

    def connect(self, timeouts: ClientConfig, retries: RetryConfig) -> AzureClient:
        """Return a new client."""
        url = self._address.account_url
        return AzureClient(
            self._address.container,
            account_name=self._address.account,
            endpoint=url,
            # These settings would otherwise come from the environment.
            use_emulator=False,
            skip_signature=False,
            client_options=client_options(timeouts, url, CA_VARIABLES),
            retry_config=retries,
            credential_provider=self.credentials,
        )

    def recover(self, failure: Failure) -> bool:
        """Fetch another token once if the server refuses the current one."""
        return failure.status == 401 and self._has_identity

    def credential_error(self, what: str, error: Exception) -> OdahuArgoError | None:
        """Map an exception of azure-identity."""
        from azure.core import exceptions as azure
        from requests.exceptions import SSLError

        match error:
            case azure.ServiceRequestError() | azure.ServiceResponseError():
                if isinstance(error.inner_exception, SSLError):
                    return _ERRORS.untrusted(what, "Azure's token server")
                return unreachable(what, "Azure's token server", type(error).__name__)
            case azure.ClientAuthenticationError():
                return UserError(
                    f"{what}: this machine has no identity in Azure",
                    hint="set keySecret of the connection, or use a managed identity",
                )
            case azure.AzureError():
                return ServiceFault(f"{what}: {type(error).__name__}", hint=RETRY_HINT)
            case _:
                return None


def _key(address: AzureAddress) -> dict[str, Any]:
    if address.sas:
        return {"sas_token": address.sas, "expires_at": None}
    # obstore is strict about unused bits at the end of base64 text, Azure is not.
    key = base64.b64encode(base64.b64decode(address.account_key)).decode()
    return {"access_key": key, "expires_at": None}


def _identity() -> Callable[[], dict[str, Any]]:
    """Return a function that fetches a token. The first one is fetched at once, to report a missing identity early."""
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise UserError(
            "the connection has no keySecret, and azure-identity, which finds the identity of the machine, is not installed",
            hint="set keySecret of the connection, or install azure-identity",
        ) from None
    credential = DefaultAzureCredential()

    def fetch() -> dict[str, Any]:
        token = credential.get_token(_SCOPE)
        return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}

    fetch()
    return fetch
