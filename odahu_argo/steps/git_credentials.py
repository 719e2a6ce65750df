"""Git URIs and credentials. Secrets are passed to git in private files and the environment, never on a command line."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.paths import has_control_characters

_SCP_LIKE = re.compile(r"(?:(?P<user>[A-Za-z0-9_.-]+)@)?(?P<host>[A-Za-z0-9_.-]+):(?P<path>[^:].*)")
_TRANSPORTS = ("https", "http", "ssh", "file")
_URI_HINT = "use https://host/path, ssh://git@host/path, git@host:path or file:///path"
_KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
_TOKEN_USER = "git"
"""User name for a token without one; GitHub, GitLab and Bitbucket check only the token."""
_UNSAFE_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE", "GIT_CURL_VERBOSE")
"""Prefixes of variables that point git to another repository or make it print headers with passwords."""
_STALL_TIMEOUT = {"http.lowSpeedLimit": "1000", "http.lowSpeedTime": "60"}
"""Git aborts a transfer that is slower than this number of bytes per second for this number of seconds."""


@dataclass(frozen=True, slots=True)
class GitUri:
    """A git repository's URI without its user information, which is in `username` and `password`."""

    address: str
    transport: str
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """Git's `-c` settings, which contain no secret, its environment, and the secrets to redact from its output."""

    settings: tuple[tuple[str, str], ...]
    environment: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def redact(self, text: str) -> str:
        """Return the text with all secrets replaced by `***`."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parse_git_uri(uri: str) -> GitUri:
    """Parse an https, http, ssh or file URL, the form `git@host:path`, or an absolute path.

    Raises:
        UserError: The URI is malformed, could be read as an option of git, or uses another transport, some of which make
            git run programs.
    """
    uri = uri.strip()
    if not uri:
        raise UserError("the git connection has no URI", hint=f"set its field `uri`: {_URI_HINT}")
    if uri.startswith("-") or has_control_characters(uri):
        raise UserError("the git connection's URI starts with `-` or contains control characters", hint=_URI_HINT)
    if uri.startswith("/"):
        return GitUri(address=uri, transport="file")
    if "://" in uri:
        return _parse_url(uri)
    scp = _SCP_LIKE.fullmatch(uri)
    if scp is None or scp["host"].startswith("-") or scp["path"].startswith("-"):
        raise UserError("the git connection's URI is not a supported form", hint=_URI_HINT)
    return GitUri(address=uri, transport="ssh", host=scp["host"], username=scp["user"] or "")


def _parse_url(uri: str) -> GitUri:
    transport = uri.partition("://")[0]
    if transport not in _TRANSPORTS:
        raise UserError(f"git transport {transport[:20]!r} is not supported", hint=_URI_HINT)
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError("the git connection's URI has an invalid host or port", hint=_URI_HINT) from error
    if transport == "file":
        if host not in ("", "localhost") or not parts.path.startswith("/"):
            raise UserError("a file URL of a git connection must have the form file:///absolute/path")
        return GitUri(address=uri, transport="file")
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        raise UserError("the git connection's URI has an invalid host or user", hint=_URI_HINT)
    authority = parts.netloc.rpartition("@")[2]
    if transport == "ssh" and parts.username:
        authority = f"{parts.username}@{authority}"
    address = urlunsplit((transport, authority, parts.path, parts.query, ""))
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    return GitUri(address, transport, host, port, username, password)


@contextmanager
def git_credentials(uri: GitUri, fields: Mapping[str, str]) -> Iterator[GitCredentials]:
    """Write a connection's credentials to a private temporary directory, which is removed afterwards.

    Without credentials in the connection, git and ssh use those configured on this machine.

    Raises:
        UserError: A field of the connection is invalid.
    """
    password = fields.get("password") or uri.password
    with tempfile.TemporaryDirectory(prefix="odahu-argo-git-") as name:
        directory = Path(name)
        settings = {"core.hooksPath": os.devnull, "advice.detachedHead": "false", **_STALL_TIMEOUT, **_lfs_settings()}
        helpers: list[str] = []
        if password and uri.transport in ("http", "https"):
            username = fields.get("username") or uri.username or _TOKEN_USER
            helpers = ["", _write_credential_store(directory, uri, username, password)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_UNSAFE_VARIABLES)}
        environment.update(
            LC_ALL="C",
            GIT_TERMINAL_PROMPT="0",
            GIT_ASKPASS="",
            SSH_ASKPASS="",
            GIT_ALLOW_PROTOCOL="https:http:ssh" + (":file" if uri.transport == "file" else ""),
            GIT_SSH_COMMAND=shlex.join(_ssh_command(directory, uri, fields)),
        )
        secrets = {secret for secret in (password, quote(password, safe=""), fields.get("keySecret", "")) if secret}
        yield GitCredentials(
            settings=(*settings.items(), *(("credential.helper", helper) for helper in helpers)),
            environment=environment,
            secrets=tuple(sorted(secrets, key=len, reverse=True)),
        )


def _write_credential_store(directory: Path, uri: GitUri, username: str, password: str) -> str:
    """Write a git-credential-store file for this host only, and return the helper that reads it."""
    host = uri.address.partition("://")[2].partition("/")[0]
    path = directory / "credentials"
    _write_private(path, f"{uri.transport}://{quote(username, safe='')}:{quote(password, safe='')}@{host}\n")
    return f"store --file={shlex.quote(str(path))}"


def _ssh_command(directory: Path, uri: GitUri, fields: Mapping[str, str]) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    command += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    key = fields.get("keySecret", "")
    if key and uri.transport == "ssh":
        path = directory / "key"
        _write_private(path, key.replace("\r\n", "\n").strip() + "\n")
        command += ["-i", str(path), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    host_key = fields.get("publicKey", "").strip()
    known_hosts = directory / "known_hosts"
    if not host_key or uri.transport != "ssh":
        # ssh adds new keys to the first file, so that an unverified key is trusted only within this step.
        files = f"{known_hosts} ~/.ssh/known_hosts ~/.ssh/known_hosts2"
        return [*command, "-o", f"UserKnownHostsFile={files}", "-o", "StrictHostKeyChecking=accept-new"]
    lines = [_known_hosts_line(line, uri) for line in host_key.splitlines() if line.strip()]
    _write_private(known_hosts, "".join(f"{line}\n" for line in lines))
    command += ["-o", f"UserKnownHostsFile={known_hosts}", "-o", f"GlobalKnownHostsFile={os.devnull}"]
    return [*command, "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"]


def _known_hosts_line(line: str, uri: GitUri) -> str:
    """Return a known_hosts line; a key without a host gets the host of the URI."""
    line = line.strip()
    if line.startswith("-----"):
        raise UserError(
            "publicKey of the git connection is not a host key",
            hint="set it to the git server's known_hosts line, as printed by `ssh-keyscan HOST`",
        )
    if not line.startswith(_KEY_TYPES):
        return line
    host = f"[{uri.host}]:{uri.port}" if uri.port not in (None, 22) else uri.host
    return f"{host} {line}"


def _lfs_settings() -> dict[str, str]:
    """Return settings that enable Git LFS without configuration on this machine, or disable it if it is not installed."""
    if shutil.which("git-lfs") is None:
        return {"filter.lfs.smudge": "", "filter.lfs.process": "", "filter.lfs.required": "false"}
    return {
        "filter.lfs.clean": "git-lfs clean -- %f",
        "filter.lfs.smudge": "git-lfs smudge -- %f",
        "filter.lfs.process": "git-lfs filter-process",
        "filter.lfs.required": "true",
    }


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
