"""What S3 answers or boto3 raises, in plain words: the user's to mend, or worth another try."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.storage.answers import AGAIN, Dialect, in_plain_words, unreachable, untrusted

_CREDENTIALS_HINT = "check keyID, keySecret and role of the connection"
_MEANINGS = {
    "NoSuchBucket": ("there is no such bucket", "check the bucket in the connection's uri"),
    "NoSuchKey": ("there is no such object", "check remotePath and the connection's uri"),
    "404": ("there is no such object", "check remotePath and the connection's uri"),
    "AccessDenied": ("access is denied", "the identity needs s3:ListBucket, s3:GetObject and s3:PutObject there"),
    "403": ("access is denied", _CREDENTIALS_HINT + ", and what this identity may do in the bucket"),
    "InvalidAccessKeyId": ("the access key is not known", _CREDENTIALS_HINT),
    "SignatureDoesNotMatch": ("the secret key does not belong to the access key", _CREDENTIALS_HINT),
    "ExpiredToken": ("the credentials have expired", _CREDENTIALS_HINT),
    "InvalidToken": ("the credentials are not accepted", _CREDENTIALS_HINT),
    "AuthorizationHeaderMalformed": ("the region is wrong", "check region of the connection"),
    "PermanentRedirect": ("the bucket lives in another region", "check region and endpoint of the connection"),
    "301": ("the bucket lives in another region", "check region and endpoint of the connection"),
    "400": ("the request was refused as wrong", "check region, keyID and keySecret of the connection"),
    "InvalidBucketName": ("this is no valid bucket name", "check the bucket in the connection's uri"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set the clock"),
}
_DIALECT = Dialect(
    _MEANINGS,
    busy=("SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "429"),
    remedy=_CREDENTIALS_HINT + ", endpoint and region",
    lost=("NoSuchUpload",),
)


def s3_errors(action: str, url: str, where: str = "") -> AbstractContextManager[None]:
    """Turn what is raised while the store does `action` to `url` into `UserError` or `ServiceFault`; secrets stay out."""
    return in_plain_words(f"cannot {action} {url}", where, _DIALECT.refusal, _by_boto3)


def _by_boto3(what: str, where: str, error: Exception) -> OdahuArgoError | None:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    match error:
        case ClientError():
            return _from_answer(what, error.response)
        case BotoCoreError() | Boto3Error():
            return _from_library(what, where, error)
        case ValueError():
            return UserError(f"{what}: {error}", hint="check endpoint and region of the connection")
        case _:
            return None


def _from_answer(what: str, response: Mapping[str, Any]) -> OdahuArgoError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return _DIALECT.refusal(what, status, code)


def _from_library(what: str, where: str, error: Exception) -> OdahuArgoError:
    from botocore import exceptions

    match error:
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return UserError(
                f"{what}: there are no credentials",
                hint="give the connection keyID and keySecret, or run with a service account that has an identity",
            )
        case exceptions.SSLError():
            return untrusted(what, where, "AWS_CA_BUNDLE")
        case exceptions.ParamValidationError() | exceptions.InvalidRegionError() | exceptions.ConfigNotFound():
            return UserError(f"{what}: {error}", hint="check uri, region and endpoint of the connection")
        case exceptions.ProfileNotFound() | exceptions.InvalidConfigError():
            return UserError(f"{what}: {error}", hint="check this machine's AWS settings")
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return unreachable(what, where, error, "check endpoint and region of the connection, and the network")
        case _:
            return ServiceFault(f"{what}: {type(error).__name__}", hint=AGAIN)
