"""Parses the account, container and key of a connection to Azure Blob Storage."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from odahu_argo.errors import UserError

FORMS = (
    "https://ACCOUNT.blob.core.windows.net/CONTAINER/path, "
    "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/path or wasbs://CONTAINER@ACCOUNT.blob.core.windows.net/path"
)
_KEY_FORMS = "an account key, a SAS token, a SAS URL or a connection string"


@dataclass(frozen=True, slots=True)
class AzureAddress:
    """A container, the URL of its account without a trailing slash, and the path in the URI.

    At most one of `sas` and `account_key` is set. Without either, use the identity of the machine.
    """

    account_url: str
    account: str
    container: str
    path: str
    sas: str = field(default="", repr=False)
    account_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Key:
    """The content of `keySecret`; `account_url` and `account` are empty unless it contains them."""

    sas: str = field(default="", repr=False)
    account_key: str = field(default="", repr=False)
    account_url: str = ""
    account: str = ""


def parse_address(fields: Mapping[str, str], shown: str) -> AzureAddress:
    """Parse a connection's `uri`, `keySecret`, `keyID` (the account name, if no URI contains it) and `endpoint`.

    The account comes from `endpoint`, else from a SAS URL (as in ODAHU) or connection string in `keySecret`, else from
    `uri`. With one of the first, `uri` may be just CONTAINER/path, as ODAHU's documentation shows it. `shown` is the URI
    for messages, without secrets.

    Raises:
        UserError: a field has an unknown form.
    """
    uri = _split(fields["uri"].strip(), shown)
    if uri.scheme in ("https", "http"):
        path = unquote(uri.path)
        own_url, rest = _account_of(uri)
    elif uri.scheme in ("abfs", "abfss", "wasb", "wasbs") and uri.username:
        path = uri.path
        own_url, rest = f"https://{_blob_host(uri.netloc.rpartition('@')[2])}", f"{unquote(uri.username)}{path}"
    elif uri.scheme or uri.netloc or not uri.path.strip("/"):
        raise UserError(f"the URI {shown} contains no container of Azure Blob Storage", hint=f"write it as {FORMS}")
    else:
        own_url, rest = "", uri.path.lstrip("/")
    container, _, path = rest.partition("/")
    if not container:
        raise UserError(f"the URI {shown} contains an account, but no container", hint=f"write it as {FORMS}")

    key = _key(fields.get("keySecret", "").strip(), _token(uri.query))
    account_url = _with_scheme(fields.get("endpoint", "").strip() or key.account_url or own_url).rstrip("/")
    if not account_url:
        raise UserError(
            f"the URI {shown} contains a container, but no account",
            hint=f"set keySecret to a SAS URL, or write the URI as {FORMS}",
        )
    account = fields.get("keyID", "").strip() or key.account or _account_name(urlsplit(account_url))
    return AzureAddress(account_url, account, container, path, key.sas, key.account_key)


def _with_scheme(url: str) -> str:
    """Default to https."""
    return f"https://{url}" if url and "://" not in url else url


def _split(uri: str, shown: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError:
        raise UserError(f"the URI {shown} is malformed", hint=f"write it as {FORMS}") from None


def _account_of(uri: SplitResult) -> tuple[str, str]:
    """Split into the account's URL and the rest. If the host is an IP address or a bare name, the account is in the path."""
    host, path = uri.netloc.rpartition("@")[2], unquote(uri.path).lstrip("/")
    if _is_machine(uri.hostname or ""):
        account, _, path = path.partition("/")
        host = f"{host}/{account}"
    return f"{uri.scheme}://{_blob_host(host)}", path


def _blob_host(host: str) -> str:
    """Replace the Data Lake host of an account by its blob host, which serves the same objects."""
    return host.replace(".dfs.", ".blob.", 1)


def _is_machine(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _account_name(url: SplitResult) -> str:
    return url.path.strip("/").partition("/")[0] or (url.hostname or "").partition(".")[0]


def _key(secret: str, own_token: str) -> _Key:
    """Parse `keySecret`; without it, use the SAS token of the URI."""
    if not secret:
        return _Key(sas=own_token)
    if secret.lower().startswith(("https://", "http://")):
        url = _split(secret, "in keySecret")
        token = _token(url.query)
        if not token:
            raise UserError("keySecret is a URL without a signature", hint="write a SAS URL, which contains `sig=`")
        return _Key(sas=token, account_url=_account_of(url)[0])
    if "accountkey=" in secret.lower() or "sharedaccesssignature=" in secret.lower():
        return _connection_string(secret)
    if token := _token(secret):
        return _Key(sas=token)
    if _is_account_key(secret):
        return _Key(account_key=secret)
    raise UserError("keySecret is not a key of Azure Blob Storage", hint=f"set it to {_KEY_FORMS}")


def _connection_string(text: str) -> _Key:
    """Parse a connection string (Azure documentation, "Configure Azure Storage connection strings")."""
    pairs = [setting.partition("=") for setting in text.rstrip("; ").split(";")]
    settings = {name.strip().lower(): value.strip() for name, _, value in pairs}
    account, key, token = (settings.get(name, "") for name in ("accountname", "accountkey", "sharedaccesssignature"))
    protocol, domain = (
        settings.get("defaultendpointsprotocol", "https"),
        settings.get("endpointsuffix", "core.windows.net"),
    )
    url = settings.get("blobendpoint") or (f"{protocol}://{account}.blob.{domain}" if account else "")
    if not (url and (token or (account and _is_account_key(key)))):
        raise UserError(
            "keySecret looks like a connection string, but is incomplete", hint="copy all of it from the Azure portal"
        )
    if token:
        return _Key(sas=token.lstrip("?"), account_url=url, account=account)
    return _Key(account_key=key, account_url=url, account=account)


def _token(query: str) -> str:
    token = query.lstrip("?")
    return token if "sig" in parse_qs(token) else ""


def _is_account_key(secret: str) -> bool:
    try:
        return len(base64.b64decode(secret, validate=True)) >= 16
    except (binascii.Error, ValueError):
        return False
