"""Credentials for git: in files of a private folder and in the environment, never on a command line."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from odahu_argo.errors import UserError
from odahu_argo.steps.git_uri import GitUri

_KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
_ANY_USER = "git"
"""User name where only a token is given; GitHub, GitLab and Bitbucket then look at the token alone."""
_DISTURBING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE", "GIT_CURL_VERBOSE")
"""Variables that would turn git to another repository, or make it print headers with passwords."""
_PATIENCE = {"http.lowSpeedLimit": "1000", "http.lowSpeedTime": "60"}
"""Bytes per second, and for how many seconds, below which git gives up a transfer."""


@dataclass(frozen=True, slots=True)
class GitAccess:
    """What git needs to reach the remote: settings for its command line, which hold no secret, and its environment."""

    settings: tuple[tuple[str, str], ...]
    environment: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def redact(self, text: str) -> str:
        """The text without any of the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


@contextmanager
def git_access(uri: GitUri, fields: Mapping[str, str]) -> Iterator[GitAccess]:
    """Lay out the connection's credentials in a folder that only this user can read, and remove it at the end.

    Where the connection gives no credentials, the ones this machine's git and ssh are set up with are used.

    Raises:
        UserError: a field cannot be used.
    """
    password = fields.get("password") or uri.password
    with tempfile.TemporaryDirectory(prefix="odahu-argo-git-") as name:
        folder = Path(name)
        settings = {"core.hooksPath": os.devnull, "advice.detachedHead": "false", **_PATIENCE, **_lfs_settings()}
        helpers: list[str] = []
        if password and uri.transport in ("http", "https"):
            username = fields.get("username") or uri.username or _ANY_USER
            helpers = ["", _credential_store(folder, uri, username, password)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_DISTURBING)}
        environment.update(
            LC_ALL="C",
            GIT_TERMINAL_PROMPT="0",
            GIT_ASKPASS="",
            SSH_ASKPASS="",
            GIT_ALLOW_PROTOCOL="https:http:ssh" + (":file" if uri.transport == "file" else ""),
            GIT_SSH_COMMAND=shlex.join(_ssh(folder, uri, fields)),
        )
        secrets = {secret for secret in (password, quote(password, safe=""), fields.get("keySecret", "")) if secret}
        yield GitAccess(
            settings=(*settings.items(), *(("credential.helper", helper) for helper in helpers)),
            environment=environment,
            secrets=tuple(sorted(secrets, key=len, reverse=True)),
        )


def _credential_store(folder: Path, uri: GitUri, username: str, password: str) -> str:
    """Write git's own credentials file and return the helper that reads it; git asks it only for this host."""
    host = uri.address.partition("://")[2].partition("/")[0]
    path = folder / "credentials"
    line = f"{uri.transport}://{quote(username, safe='')}:{quote(password, safe='')}@{host}\n"
    _write_private(path, line)
    return f"store --file={shlex.quote(str(path))}"


def _ssh(folder: Path, uri: GitUri, fields: Mapping[str, str]) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    command += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    key = fields.get("keySecret", "")
    if key and uri.transport == "ssh":
        path = folder / "key"
        _write_private(path, key.replace("\r\n", "\n").strip() + "\n")
        command += ["-i", str(path), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    host_key = fields.get("publicKey", "").strip()
    known_hosts = folder / "known_hosts"
    if not host_key or uri.transport != "ssh":
        # New keys go into the first file, so trust that nobody has checked ends with this step.
        files = f"{known_hosts} ~/.ssh/known_hosts ~/.ssh/known_hosts2"
        return [*command, "-o", f"UserKnownHostsFile={files}", "-o", "StrictHostKeyChecking=accept-new"]
    _write_private(
        known_hosts, "".join(f"{_known_host(line, uri)}\n" for line in host_key.splitlines() if line.strip())
    )
    command += ["-o", f"UserKnownHostsFile={known_hosts}", "-o", f"GlobalKnownHostsFile={os.devnull}"]
    return [*command, "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"]


def _known_host(line: str, uri: GitUri) -> str:
    """A line of known_hosts; where only the key is given, the host is put before it."""
    line = line.strip()
    if line.startswith("-----"):
        raise UserError(
            "publicKey of the git connection is no host key",
            hint="it takes the git server's line of known_hosts, as `ssh-keyscan HOST` prints it",
        )
    if not line.startswith(_KEY_TYPES):
        return line
    host = f"[{uri.host}]:{uri.port}" if uri.port not in (None, 22) else uri.host
    return f"{host} {line}"


def _lfs_settings() -> dict[str, str]:
    """Git-LFS's filters, set here for they need not be in this machine's configuration; switched off where it is missing."""
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
