"""Where a container of Azure Blob Storage is, and the key to it, from the many ways to write them."""

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
class Address:
    """A container: the URL of its account without a slash at the end, its name, and the path that the URI goes on with.

    Of `sas` and `account_key` one at most is set; none means the machine's own identity.
    """

    account_url: str
    account: str
    container: str
    path: str
    sas: str = field(default="", repr=False)
    account_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Key:
    """What `keySecret` holds; `account_url` and `account` where it names them, too."""

    sas: str = field(default="", repr=False)
    account_key: str = field(default="", repr=False)
    account_url: str = ""
    account: str = ""


def read_address(fields: Mapping[str, str], shown: str) -> Address:
    """The address by a connection's `uri`, `keySecret`, `keyID` (the account's name where no URI tells it), `endpoint`.

    The account is that of `endpoint`, else of a SAS URL, as with ODAHU, or connection string in `keySecret`, else of the
    `uri`; where one of the first is given, the `uri` may be just CONTAINER/path, as ODAHU's documentation prints it.

    Raises:
        UserError: a field has none of the known forms; `shown` is the URI without secrets.
    """
    uri = _split(fields["uri"].strip(), shown)
    if uri.scheme in ("https", "http"):
        path = unquote(uri.path)
        own_url, rest = _account_of(uri)
    elif uri.scheme in ("abfs", "abfss", "wasb", "wasbs") and uri.username:
        path = uri.path
        own_url, rest = f"https://{_blob_host(uri.netloc.rpartition('@')[2])}", f"{unquote(uri.username)}{path}"
    elif uri.scheme or uri.netloc or not uri.path.strip("/"):
        raise UserError(f"the URI {shown} names no container of Azure Blob Storage", hint=f"write it as {FORMS}")
    else:
        own_url, rest = "", uri.path.lstrip("/")
    container, _, path = rest.partition("/")
    if not container:
        raise UserError(f"the URI {shown} names an account, but no container", hint=f"write it as {FORMS}")

    key = _key(fields.get("keySecret", "").strip(), _token(uri.query))
    account_url = _with_scheme(fields.get("endpoint", "").strip() or key.account_url or own_url).rstrip("/")
    if not account_url:
        raise UserError(
            f"the URI {shown} names a container, but no account",
            hint=f"give a SAS URL as keySecret, or write the URI as {FORMS}",
        )
    account = fields.get("keyID", "").strip() or key.account or _account_name(urlsplit(account_url))
    return Address(account_url, account, container, path, key.sas, key.account_key)


def _with_scheme(url: str) -> str:
    """As Azure's SDK reads an address without one."""
    return f"https://{url}" if url and "://" not in url else url


def _split(uri: str, shown: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError:
        raise UserError(f"the URI {shown} cannot be read", hint=f"write it as {FORMS}") from None


def _account_of(uri: SplitResult) -> tuple[str, str]:
    """The account's URL, and what follows it; on a bare machine, such as an emulator's, the path begins with the name."""
    host, path = uri.netloc.rpartition("@")[2], unquote(uri.path).lstrip("/")
    if _is_machine(uri.hostname or ""):
        account, _, path = path.partition("/")
        host = f"{host}/{account}"
    return f"{uri.scheme}://{_blob_host(host)}", path


def _blob_host(host: str) -> str:
    """The Data Lake address of an account serves the same objects as its blob address, which we speak to."""
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
    """The key in this secret, else the token of the URI itself."""
    if not secret:
        return _Key(sas=own_token)
    if secret.lower().startswith(("https://", "http://")):
        url = _split(secret, "in keySecret")
        token = _token(url.query)
        if not token:
            raise UserError("keySecret is a URL without a signature", hint="write a SAS URL, which has `sig=` in it")
        return _Key(sas=token, account_url=_account_of(url)[0])
    if "accountkey=" in secret.lower() or "sharedaccesssignature=" in secret.lower():
        return _connection_string(secret)
    if token := _token(secret):
        return _Key(sas=token)
    if _is_account_key(secret):
        return _Key(account_key=secret)
    raise UserError("keySecret has no form that Azure Blob Storage knows", hint=f"give {_KEY_FORMS}")


def _connection_string(text: str) -> _Key:
    """The key and account of a connection string (Azure's documentation: Configure Azure Storage connection strings)."""
    pairs = [setting.partition("=") for setting in text.rstrip("; ").split(";")]
    told = {name.strip().lower(): value.strip() for name, _, value in pairs}
    account, key, token = (told.get(name, "") for name in ("accountname", "accountkey", "sharedaccesssignature"))
    protocol, domain = told.get("defaultendpointsprotocol", "https"), told.get("endpointsuffix", "core.windows.net")
    url = told.get("blobendpoint") or (f"{protocol}://{account}.blob.{domain}" if account else "")
    if not (url and (token or (account and _is_account_key(key)))):
        raise UserError(
            "keySecret looks like a connection string, but cannot be read", hint="copy it whole from Azure's portal"
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
