"""The address of a git repository: which forms are accepted, and the parts that are secret taken out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.paths import has_control_characters

_SCP_LIKE = re.compile(r"(?:(?P<user>[A-Za-z0-9_.-]+)@)?(?P<host>[A-Za-z0-9_.-]+):(?P<path>[^:].*)")
_TRANSPORTS = ("https", "http", "ssh", "file")
_FORMS = "https://host/path, ssh://git@host/path, git@host:path or file:///path"


@dataclass(frozen=True, slots=True)
class GitUri:
    """An address that is safe to give to git and to show; `username` and `password` are what stood in it."""

    address: str
    transport: str
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = field(default="", repr=False)


def parse_git_uri(uri: str) -> GitUri:
    """Accept https, http, ssh, `git@host:path`, file URLs and absolute paths.

    Raises:
        UserError: any other transport (git can be talked into running programs), an option in disguise, or a broken address.
    """
    uri = uri.strip()
    if not uri:
        raise UserError("the git connection has no URI", hint=f"set its field `uri`: {_FORMS}")
    if uri.startswith("-") or has_control_characters(uri):
        raise UserError("the git connection's URI begins with `-` or holds control characters", hint=f"write {_FORMS}")
    if uri.startswith("/"):
        return GitUri(address=uri, transport="file")
    if "://" in uri:
        return _from_url(uri)
    scp = _SCP_LIKE.fullmatch(uri)
    if scp is None or scp["host"].startswith("-") or scp["path"].startswith("-"):
        raise UserError("the git connection's URI is of a form that is not accepted", hint=f"write {_FORMS}")
    return GitUri(address=uri, transport="ssh", host=scp["host"], username=scp["user"] or "")


def _from_url(uri: str) -> GitUri:
    transport = uri.partition("://")[0]
    if transport not in _TRANSPORTS:
        raise UserError(f"git transport {transport[:20]!r} is not accepted", hint=f"write {_FORMS}")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError("the git connection's URI has no readable host and port", hint=f"write {_FORMS}") from error
    if transport == "file":
        if host not in ("", "localhost") or not parts.path.startswith("/"):
            raise UserError("a file URL of a git connection must be file:///absolute/path")
        return GitUri(address=uri, transport="file")
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        raise UserError("the git connection's URI has no usable host", hint=f"write {_FORMS}")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    place = parts.netloc.rpartition("@")[2]
    if transport == "ssh" and parts.username:
        place = f"{parts.username}@{place}"
    address = urlunsplit((transport, place, parts.path, parts.query, ""))
    return GitUri(address, transport, host, port, username, password)
