"""Google Cloud Storage, by its XML API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar

from obstore.store import GCSStore as GcsClient

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.cloud import CloudStore, Credentials, client_options
from odahu_argo.storage.errors import RETRY_HINT, ErrorTable, Failure, unreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_GOOGLE = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_KEY_HINT = "paste the whole JSON key file of the service account, as downloaded from the Google Cloud console"
_RIGHTS_HINT = "the identity needs storage.objects.list, get, create and delete, as roles/storage.objectUser has"
_ERRORS = ErrorTable(
    {
        "NoSuchBucket": ("the bucket does not exist", "check the bucket in the connection's uri"),
        "NoSuchKey": ("the object does not exist", "check remotePath and the connection's uri"),
        "404": ("the object or bucket does not exist", "check remotePath and the connection's uri"),
        "InvalidBucketName": ("the bucket name is invalid", "check the bucket in the connection's uri"),
        "400": ("the request is invalid", "check the bucket in the connection's uri"),
        "401": ("the credentials are not accepted", "check keySecret of the connection"),
        "AuthenticationRequired": ("the credentials are not accepted", "check keySecret of the connection"),
        "AccessDenied": ("access is denied", _RIGHTS_HINT),
        "403": ("access is denied", _RIGHTS_HINT),
    },
    hint="check uri, keySecret and endpoint of the connection",
    ca_variable=CA_VARIABLES[0],
)


class GcsStore(CloudStore):
    """A bucket of Google Cloud Storage.

    `keySecret` is the JSON key of a service account; without it the identity of the machine is used. `endpoint` is the
    URL of another server with Google's XML API, which is accessed anonymously without a key. `region` and `role` are
    ignored, as in ODAHU.
    """

    # Otherwise Google decompresses objects that are stored with Content-Encoding: gzip.
    read_headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "gzip"}

    def __init__(self, bucket: str, fields: Mapping[str, str]) -> None:
        self._bucket = bucket
        endpoint = fields.get("endpoint", "").rstrip("/")
        self._address = endpoint or os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/") or _GOOGLE
        super().__init__(f"gs://{bucket}", endpoint or "Google Cloud Storage", _ERRORS)
        with self.preparation_errors():
            fetch = _credentials(fields)
        self.credentials = Credentials(fetch) if fetch else None

    def connect(self, timeouts: ClientConfig, retries: RetryConfig) -> GcsClient:
        """Return a new client."""
        options = client_options(timeouts, self._address, CA_VARIABLES)
        if self.credentials is None:
            key = {"gcs_base_url": self._address, "disable_oauth": True, "client_email": "", "private_key": ""}
            account = json.dumps({**key, "private_key_id": ""})
            return GcsClient(self._bucket, service_account_key=account, client_options=options, retry_config=retries)
        return GcsClient(
            self._bucket,
            base_url=self._address,
            skip_signature=False,
            client_options=options,
            retry_config=retries,
            credential_provider=self.credentials,
        )

    def recover(self, failure: Failure) -> bool:
        """Fetch another token once if the server refuses the current one."""
        return failure.status == 401 and self.credentials is not None

    def credential_error(self, what: str, error: Exception) -> OdahuArgoError | None:
        """Map an exception of google-auth."""
        from google.auth import exceptions as google
        from requests.exceptions import SSLError

        match error:
            case google.DefaultCredentialsError():
                return UserError(
                    f"{what}: there are no credentials",
                    hint="set keySecret of the connection, or use a service account with an identity",
                )
            case google.RefreshError(retryable=False):
                return UserError(
                    f"{what}: Google does not accept the key or identity",
                    hint="check that keySecret of the connection is a service account's key, neither deleted nor disabled",
                )
            case google.TransportError() if isinstance(error.__cause__ or error.__context__, SSLError):
                return _ERRORS.untrusted(what, "Google's token server")
            case google.TransportError():
                return unreachable(what, "Google's token server", type(error).__name__)
            case google.GoogleAuthError():
                return ServiceFault(f"{what}: {type(error).__name__}", hint=RETRY_HINT)
            case _:
                return None


def _credentials(fields: Mapping[str, str]) -> Callable[[], dict[str, Any]] | None:
    """Return a function that fetches a token; None to access the server anonymously."""
    if key := fields.get("keySecret"):
        credentials = _service_account(key)
    elif fields.get("endpoint"):
        return None
    else:
        import google.auth

        credentials, _ = google.auth.default(scopes=[_SCOPE])

    def fetch() -> dict[str, Any]:
        from google.auth.transport.requests import Request

        credentials.refresh(Request())
        expiry = credentials.expiry
        return {"token": credentials.token, "expires_at": expiry.replace(tzinfo=UTC) if expiry else None}

    return fetch


def _service_account(key: str) -> Any:
    from google.oauth2.service_account import Credentials as ServiceAccount

    try:
        info = json.loads(key)
    except ValueError:
        raise UserError("keySecret is not the JSON key of a service account", hint=_KEY_HINT) from None
    if not isinstance(info, dict) or info.get("type", "service_account") != "service_account":
        raise UserError("keySecret is JSON, but not the key of a service account", hint=_KEY_HINT)
    try:
        return ServiceAccount.from_service_account_info(info, scopes=[_SCOPE])
    except (ValueError, TypeError, AttributeError):
        raise UserError(
            "keySecret is the JSON key of a service account with missing or damaged fields", _KEY_HINT
        ) from None
