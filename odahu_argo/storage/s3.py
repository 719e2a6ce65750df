"""Amazon S3 and servers with the same API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import S3Store as S3Client

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.cloud import CloudStore, Credentials, client_options
from odahu_argo.storage.connection import DEFAULT_REGION, access_key
from odahu_argo.storage.errors import RETRY_HINT, ErrorTable, Failure, unreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_CREDENTIALS_HINT = "check keyID, keySecret and role of the connection"
_URI_HINT = "check remotePath and the connection's uri"
_REGION_HINT = "check region and endpoint of the connection"
_ERRORS = ErrorTable(
    {
        "NoSuchBucket": ("the bucket does not exist", "check the bucket in the connection's uri"),
        "NoSuchKey": ("the object does not exist", _URI_HINT),
        "404": ("the object does not exist", _URI_HINT),
        "AccessDenied": ("access is denied", "the identity needs s3:ListBucket, s3:GetObject and s3:PutObject"),
        "403": ("access is denied", f"{_CREDENTIALS_HINT}, and the identity's permissions for the bucket"),
        "InvalidAccessKeyId": ("the access key is unknown", _CREDENTIALS_HINT),
        "SignatureDoesNotMatch": ("the secret key does not belong to the access key", _CREDENTIALS_HINT),
        "ExpiredToken": ("the credentials have expired", _CREDENTIALS_HINT),
        "InvalidToken": ("the credentials are not accepted", _CREDENTIALS_HINT),
        "AuthorizationHeaderMalformed": ("the region is wrong", "check region of the connection"),
        "PermanentRedirect": ("the bucket is in another region", _REGION_HINT),
        "301": ("the bucket is in another region", _REGION_HINT),
        "400": ("the request is invalid", "check region, keyID and keySecret of the connection"),
        "InvalidBucketName": ("the bucket name is invalid", "check the bucket in the connection's uri"),
        "RequestTimeTooSkewed": ("the clock of this machine is wrong", "set the clock"),
    },
    hint=f"{_CREDENTIALS_HINT}, endpoint and region",
    ca_variable=CA_VARIABLES[0],
)
_WRONG_REGION = (
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "301",
    "400",
)


class S3Store(CloudStore):
    """A bucket of Amazon S3, or of another server given by `endpoint`, which is addressed by path.

    `keyID` and `keySecret` are the identity, else the machine's own. `role` is the ARN of a role to assume with it.
    boto3 finds the identity and region of the machine and the address of Amazon's servers, following the AWS settings.
    """

    def __init__(self, bucket: str, fields: Mapping[str, str]) -> None:
        key_id, secret = access_key(fields)
        self._bucket = bucket
        self._endpoint = fields.get("endpoint", "").rstrip("/")
        self._region = fields.get("region", "")
        self._keys = key_id, secret
        self._session: Any = None
        super().__init__(f"s3://{bucket}", self._endpoint or self._region or "Amazon S3", _ERRORS)
        if key_id and self._region and self._endpoint and not fields.get("role"):
            self.credentials = Credentials(lambda: _static(key_id, secret))
        else:
            with self.preparation_errors():
                self.credentials = self._credentials(fields.get("role", ""))

    def connect(self, timeouts: ClientConfig, retries: RetryConfig) -> S3Client:
        """Return a new client for the current region."""
        with self.preparation_errors():
            address, is_path_style = self._address()
        if not re.fullmatch(r"[\w.-]+", self._region):
            raise UserError(f"the region {self._region!r} is invalid", hint=_REGION_HINT)
        return S3Client(
            self._bucket,
            endpoint=address,
            # This setting and the ones below would otherwise come from the environment.
            aws_endpoint_url_s3=address,
            region=self._region,
            virtual_hosted_style_request=not is_path_style,
            skip_signature=False,
            client_options=client_options(timeouts, address, CA_VARIABLES),
            retry_config=retries,
            credential_provider=self.credentials,
        )

    def recover(self, failure: Failure) -> bool:
        """Follow the bucket to its region, which the server reports when the region of the connection is wrong."""
        if not (failure.is_redirect or failure.code in _WRONG_REGION):
            return False
        reported = re.search(r"<Region>([\w-]+)</Region>", failure.message)
        region = reported[1] if reported else self._bucket_region()
        if not region or region == self._region:
            return False
        self._region = region
        return True

    def credential_error(self, what: str, error: Exception) -> OdahuArgoError | None:
        """Map an exception of boto3."""
        from boto3.exceptions import Boto3Error
        from botocore import exceptions as aws

        match error:
            case aws.ClientError(response=response):
                code = str(response.get("Error", {}).get("Code", "unknown"))
                status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
                return _ERRORS.refusal(what, status, code)
            case aws.NoCredentialsError() | aws.PartialCredentialsError():
                return UserError(
                    f"{what}: there are no credentials",
                    hint="set keyID and keySecret of the connection, or use a service account with an identity",
                )
            case aws.SSLError():
                return _ERRORS.untrusted(what, self.server)
            case aws.ParamValidationError() | aws.InvalidRegionError() | aws.ConfigNotFound() | ValueError():
                return UserError(f"{what}: {error}", hint="check uri, region and endpoint of the connection")
            case aws.ProfileNotFound() | aws.InvalidConfigError():
                return UserError(f"{what}: {error}", hint="check the AWS settings of this machine")
            case aws.HTTPClientError() | aws.ConnectionError():
                return unreachable(what, self.server, type(error).__name__)
            case aws.BotoCoreError() | Boto3Error():
                return ServiceFault(f"{what}: {type(error).__name__}", hint=RETRY_HINT)
            case _:
                return None

    def _credentials(self, role: str) -> Credentials:
        from obstore.auth.boto3 import Boto3CredentialProvider

        session = self._boto3_session()
        self._region = session.region_name or DEFAULT_REGION
        if session.get_credentials() is None:
            purpose = f" to assume the role {role}" if role else ""
            raise UserError(
                f"there are no credentials{purpose} for s3://{self._bucket}",
                hint="set keyID and keySecret of the connection, or use a service account with an identity",
            )
        if not role:
            # boto3 renews credentials at least 10 minutes before they expire.
            return Credentials(Boto3CredentialProvider(session, ttl=timedelta(minutes=5)))
        sts = session.client("sts", endpoint_url=self._endpoint or None, region_name=self._region)

        def assume() -> dict[str, Any]:
            own = sts.assume_role(RoleArn=role, RoleSessionName="odahu-argo")["Credentials"]
            return _static(
                own["AccessKeyId"], own["SecretAccessKey"], own["SessionToken"], own["Expiration"].astimezone(UTC)
            )

        return Credentials(assume)

    def _address(self) -> tuple[str, bool]:
        """Return the server's URL, and whether the bucket is part of the path and not of the host name."""
        if self._endpoint:
            return self._endpoint, True
        url = urlsplit(self._boto3_client().meta.endpoint_url)
        if "amazonaws.com" in url.netloc and re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", self._bucket):
            return f"{url.scheme}://{self._bucket}.{url.netloc}", False
        return url.geturl().rstrip("/"), True

    def _bucket_region(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._boto3_client().head_bucket(Bucket=self._bucket)
        except ClientError as error:
            answer = error.response
        except BotoCoreError:
            return ""
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return str(headers.get("x-amz-bucket-region", ""))

    def _boto3_session(self) -> Any:
        if self._session is None:
            import boto3

            key_id, secret = self._keys
            self._session = boto3.Session(key_id or None, secret or None, region_name=self._region or None)
        return self._session

    def _boto3_client(self) -> Any:
        from botocore.config import Config

        config = Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 2})
        return self._boto3_session().client(
            "s3", endpoint_url=self._endpoint or None, region_name=self._region, config=config
        )


def _static(key_id: str, secret: str, token: str | None = None, expires_at: Any = None) -> dict[str, Any]:
    return {"access_key_id": key_id, "secret_access_key": secret, "token": token, "expires_at": expires_at}
