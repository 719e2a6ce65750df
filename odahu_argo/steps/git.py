"""Running git, and its complaints in plain words."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.git_access import GitAccess
from odahu_argo.uri import without_credentials

_CREDENTIALS = "check username and password (or keySecret) of the connection, and its rights in the repository"
_MISTAKES = (
    (
        r"cannot run ssh|ssh: (command )?not found",
        "there is no program ssh here",
        "use an image that has OpenSSH's client",
    ),
    (
        r"host key verification failed|remote host identification has changed",
        "the server shows another host key",
        "publicKey of the connection must be the git server's line of known_hosts",
    ),
    (
        r"load key .*: |error in libcrypto",
        "the private key cannot be read",
        "keySecret must be an OpenSSH or PEM private key without a passphrase",
    ),
    (
        r"dubious ownership",
        "the repository belongs to another user of this machine",
        "tell git that you trust it: git config --global --add safe.directory FOLDER",
    ),
    (
        r"did not contain [0-9a-f]{40}|not our ref|unadvertised object",
        "the commit is not on the server; it may have been rewritten, or never been pushed",
        "push the commit, or name another reference",
    ),
    (
        r"authentication failed|could not read (username|password)|invalid (username|credentials)"
        r"|permission denied \(|permission denied, please|access denied|error: 40[13]\b",
        "access is refused",
        _CREDENTIALS,
    ),
    (
        r"certificate (problem|verif)|certificate verification failed|self.signed certificate",
        "the server's certificate is not trusted",
        "name the authority's file in GIT_SSL_CAINFO",
    ),
    (
        r"repository .*not found|not appear to be a git repository|does not exist|error: 404|'.*' not found"
        r"|no such file or directory",
        "there is no such repository",
        "check uri of the connection; some servers hide private repositories from those without access",
    ),
    (
        r"transport '.*' not allowed",
        "it refers to an address of a transport that is not allowed",
        "submodules may use https, http and ssh",
    ),
    (
        r"no user exists for uid",
        "this machine's user has no name, which ssh needs",
        "use an image whose user is in /etc/passwd",
    ),
    (
        r"object does not exist on the server|lfs.*\[404\]",
        "a git-lfs file is missing on the server",
        "push it with `git lfs push --all`",
    ),
)
_SHALLOW_REFUSED = re.compile(
    r"does not support shallow|shallow.*not supported|unadvertised object|not our ref", re.IGNORECASE
)
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one folder, with the credentials of one connection."""

    folder: Path
    access: GitAccess

    def run(self, *arguments: str, doing: str, stdin: str | None = None) -> str:
        """Git's standard output.

        Raises:
            UserError: git failed for what the user must mend: access, address, keys.
            ServiceFault: git failed for another reason, first of all the network.
        """
        done = self.attempt(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise self.error(doing, done)
        return done.stdout

    def attempt(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The finished git, whether it failed or not.

        Raises:
            UserError: there is no git on this machine.
        """
        settings = [part for name, value in self.access.settings for part in ("-c", f"{name}={value}")]
        try:
            return subprocess.run(
                ["git", "-C", str(self.folder), *settings, *arguments],
                env=dict(self.access.environment),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise UserError("there is no program `git` here", hint="use an image that has git") from error

    def error(self, doing: str, done: subprocess.CompletedProcess[str]) -> OdahuArgoError:
        """What the failure means, with git's last words; secrets are left out."""
        complaint = without_credentials(self.access.redact(done.stderr)).strip()
        doing = without_credentials(doing)
        words = "\n".join(line for line in complaint.splitlines() if line.strip())
        last = "\n    ".join(words.splitlines()[-_LINES_SHOWN:])
        said = f"\n    {last}" if last else f" exit status {done.returncode}"
        for pattern, meaning, hint in _MISTAKES:
            if re.search(pattern, complaint, re.IGNORECASE):
                return UserError(f"cannot {doing}: {meaning}; git said:{said}", hint=hint)
        return ServiceFault(f"cannot {doing}; git said:{said}", hint="check the address and the network")


def shallow_refused(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the server would not give this commit alone, so that everything must be fetched."""
    return done.returncode != 0 and _SHALLOW_REFUSED.search(done.stderr) is not None
