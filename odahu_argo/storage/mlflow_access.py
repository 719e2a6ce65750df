"""A connection as MLflow's own clients of object stores want it: an address, environment variables, and files with keys.

What each client reads: https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.azure_address import Address
from odahu_argo.storage.factory import azure_place, gcs_place, s3_place
from odahu_argo.storage.s3_sdk import DEFAULT_REGION, access_key

AZURE_HOSTS = ("blob.core.windows.net", "blob.core.chinacloudapi.cn", "blob.core.usgovcloudapi.net")
"""MLflow takes no other in a `wasbs://` address, and none at all of it where it has a connection string."""


@dataclass(frozen=True, slots=True)
class MlflowAccess:
    """`destination` is for `mlflow server --artifacts-destination` and holds no secret; `variables` and `files` do.

    `files` are contents by path; the paths are those that `variables` name.
    """

    destination: str
    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[Path, str] = field(default_factory=dict, repr=False)


def mlflow_access(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    """How MLflow reaches what a connection names, in the path `below` its URI; keys that must be files go into `folder`.

    Raises:
        UserError: the type is no object store, or its fields are of no use to MLflow.
    """
    kind = fields.get("type", "")
    if kind not in KINDS:
        raise UserError(
            f"a connection of type {kind or '(none)'!r} cannot keep MLflow's artifacts",
            hint=f"take one of type {', '.join(KINDS)}",
        )
    return KINDS[kind](fields, below.strip("/"), folder)


def _s3(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    bucket, path = s3_place(fields)
    (key_id, secret), endpoint = access_key(fields), fields.get("endpoint", "")
    region = fields.get("region") or DEFAULT_REGION
    variables = {"AWS_DEFAULT_REGION": region}
    files: dict[Path, str] = {}
    if endpoint:
        variables |= {
            "MLFLOW_S3_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_STS": endpoint,
            "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "path",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }
    if role := fields.get("role"):
        file = folder / "aws-config"
        files[file] = _assuming(role, key_id, secret, region)
        variables["AWS_CONFIG_FILE"] = str(file)
    elif key_id:
        variables |= {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    return MlflowAccess(f"s3://{posixpath.join(bucket, path, below)}".rstrip("/"), variables, files)


def _assuming(role: str, key_id: str, secret: str, region: str) -> str:
    """A configuration by which boto3 takes the role, and takes it anew before it expires."""
    if not key_id:
        raise UserError(
            f"MLflow's server can take the role {role} with a key only",
            hint="give keyID and keySecret, or give the server's service account that role",
        )
    config = ConfigParser(interpolation=None)
    config["default"] = {
        "region": region,
        "role_arn": role,
        "role_session_name": "odahu-argo-mlflow",
        "source_profile": "key",
    }
    config["profile key"] = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    written = StringIO()
    config.write(written)
    return written.getvalue()


def _gcs(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    bucket, path = gcs_place(fields)
    # Google's client asks no other address but an emulator's, which it speaks to anonymously.
    variables = {"STORAGE_EMULATOR_HOST": endpoint.rstrip("/")} if (endpoint := fields.get("endpoint")) else {}
    files: dict[Path, str] = {}
    if key := fields.get("keySecret"):
        file = folder / "google.json"
        files[file] = key
        variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    return MlflowAccess(f"gs://{posixpath.join(bucket, path, below)}".rstrip("/"), variables, files)


def _azure(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    address = azure_place(fields)
    string = _connection_string(address)
    host = (urlsplit(address.account_url).hostname or "").partition(".")[2]
    if not string and host not in AZURE_HOSTS:
        raise UserError(
            f"MLflow reaches Azure's account {address.account_url} with a key only",
            hint="give keySecret: an account key, a SAS token, a SAS URL or a connection string",
        )
    domain = host if host in AZURE_HOSTS else AZURE_HOSTS[0]
    account = address.account if "." not in address.account else ""
    place = f"wasbs://{address.container}@{account or 'account'}.{domain}"
    variables = {"AZURE_STORAGE_CONNECTION_STRING": string} if string else {}
    return MlflowAccess(posixpath.join(place, address.path.strip("/"), below).rstrip("/"), variables)


def _connection_string(address: Address) -> str:
    """All that MLflow's client needs in one text; empty where the machine's own identity is to be asked."""
    if address.sas:
        return f"BlobEndpoint={address.account_url};SharedAccessSignature={address.sas}"
    if address.account_key:
        return f"BlobEndpoint={address.account_url};AccountName={address.account};AccountKey={address.account_key}"
    return ""


KINDS: Mapping[str, Callable[[Mapping[str, str], str, Path], MlflowAccess]] = {
    "s3": _s3,
    "gcs": _gcs,
    "azureblob": _azure,
}
