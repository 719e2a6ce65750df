"""Settings for MLflow's own object-store clients: an address, environment variables and key files.

Variables that each client reads: https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store
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
from odahu_argo.storage.azure_address import AzureAddress
from odahu_argo.storage.connection import DEFAULT_REGION, access_key, azure_location, gcs_location, s3_location

AZURE_HOSTS = ("blob.core.windows.net", "blob.core.chinacloudapi.cn", "blob.core.usgovcloudapi.net")
"""Hosts that MLflow accepts in a `wasbs://` address. With a connection string it ignores the host."""


@dataclass(frozen=True, slots=True)
class MlflowAccess:
    """Settings for a process that runs MLflow.

    `destination` is the value of `mlflow server --artifacts-destination` and contains no secret. `variables` and `files`
    (contents by path) contain secrets; `variables` refer to the files.
    """

    destination: str
    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[Path, str] = field(default_factory=dict, repr=False)


def mlflow_access(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    """Return the settings to store artifacts in the path `below` the connection's URI, with key files in `folder`.

    Raises:
        UserError: the type is not an object store, or MLflow cannot use the fields.
    """
    kind = fields.get("type", "")
    if kind not in KINDS:
        raise UserError(
            f"a connection of type {kind or '(none)'!r} cannot store MLflow's artifacts",
            hint=f"use one of type {', '.join(KINDS)}",
        )
    return KINDS[kind](fields, below.strip("/"), folder)


def _s3(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    bucket, path = s3_location(fields)
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
    """Return an AWS configuration with which boto3 assumes the role and renews its credentials."""
    if not key_id:
        raise UserError(
            f"MLflow's server cannot assume the role {role} without a key",
            hint="set keyID and keySecret, or bind the role to the server's service account",
        )
    config = ConfigParser(interpolation=None)
    config["default"] = {
        "region": region,
        "role_arn": role,
        "role_session_name": "odahu-argo-mlflow",
        "source_profile": "key",
    }
    config["profile key"] = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    text = StringIO()
    config.write(text)
    return text.getvalue()


def _gcs(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    bucket, path = gcs_location(fields)
    # Google's client has no other setting for the address. It accesses an emulator anonymously.
    variables = {"STORAGE_EMULATOR_HOST": endpoint.rstrip("/")} if (endpoint := fields.get("endpoint")) else {}
    files: dict[Path, str] = {}
    if key := fields.get("keySecret"):
        file = folder / "google.json"
        files[file] = key
        variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    return MlflowAccess(f"gs://{posixpath.join(bucket, path, below)}".rstrip("/"), variables, files)


def _azure(fields: Mapping[str, str], below: str, folder: Path) -> MlflowAccess:
    address = azure_location(fields)
    string = _connection_string(address)
    host = (urlsplit(address.account_url).hostname or "").partition(".")[2]
    if not string and host not in AZURE_HOSTS:
        raise UserError(
            f"MLflow cannot access the account {address.account_url} without a key",
            hint="set keySecret to an account key, a SAS token, a SAS URL or a connection string",
        )
    domain = host if host in AZURE_HOSTS else AZURE_HOSTS[0]
    account = address.account if "." not in address.account else ""
    container_url = f"wasbs://{address.container}@{account or 'account'}.{domain}"
    variables = {"AZURE_STORAGE_CONNECTION_STRING": string} if string else {}
    return MlflowAccess(posixpath.join(container_url, address.path.strip("/"), below).rstrip("/"), variables)


def _connection_string(address: AzureAddress) -> str:
    """Return a connection string; empty to use the identity of the machine."""
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
