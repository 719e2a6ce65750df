"""The git working copy in a directory: its root, and whether it has changes that a clone does not contain."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TIMEOUT = 10.0
"""Seconds. A working copy that answers more slowly counts as none."""
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/]*@)?(?P<host>[^/:]+)(?::\d+(?=/))?[:/](?P<path>.+)", re.IGNORECASE
)


def root_of(directory: Path) -> Path | None:
    """Return the root of the working copy that contains the directory, or None if there is none or git is missing."""
    root = _git(directory, "rev-parse", "--show-toplevel")
    return Path(root) if root else None


def has_uncommitted_changes(directory: Path, uri: str) -> bool:
    """Return whether the directory is in a working copy of the repository at `uri` with changed or untracked files."""
    root = root_of(directory)
    if root is None:
        return False
    remotes = [line.split("\t")[-1].rsplit(" ", 1)[0] for line in _git(root, "remote", "--verbose").splitlines()]
    is_same = _repository(uri) in {_repository(address) for address in (str(root), *remotes)}
    return is_same and bool(_git(root, "status", "--porcelain"))


def _git(directory: Path, *arguments: str) -> str:
    """Return git's output, empty if it fails."""
    command = ["git", "-C", str(directory), "-c", "core.fsmonitor=false", *arguments]
    try:
        completed = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""


def _repository(address: str) -> tuple[str, str]:
    """Return host and path of an address, equal for its forms: with https, ssh, `git@host:path`, with and without `.git`."""
    if address.startswith(("/", "file://")):
        path = unquote(urlsplit(address).path) if address.startswith("file://") else address
        return "", str(Path(path).resolve())
    match = _ADDRESS.fullmatch(address.strip())
    if match is None:
        return "", address
    return match["host"].lower(), match["path"].strip("/").removesuffix(".git")
