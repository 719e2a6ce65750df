"""The git program: running it, and what its error messages mean for the user."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.steps.git_credentials import GitCredentials
from odahu_argo.steps.runtime import check_stopped
from odahu_argo.uri import without_credentials

_USER_ERRORS = (
    (
        r"cannot run ssh|ssh: (command )?not found",
        "the program ssh is not installed",
        "use an image with the OpenSSH client",
    ),
    (
        r"host key verification failed|remote host identification has changed",
        "the server's host key does not match publicKey of the connection",
        "set publicKey of the connection to the git server's known_hosts line",
    ),
    (
        r"load key .*: |error in libcrypto",
        "the private key cannot be read",
        "keySecret must be an OpenSSH or PEM private key without a passphrase",
    ),
    (
        r"dubious ownership",
        "the repository belongs to another user of this machine",
        "tell git to trust it: git config --global --add safe.directory DIRECTORY",
    ),
    (
        r"did not contain [0-9a-f]{40}|not our ref|unadvertised object",
        "the server does not have the commit; it was rewritten or never pushed",
        "push the commit, or use another reference",
    ),
    (
        r"authentication failed|could not read (username|password)|invalid (username|credentials)"
        r"|permission denied \(|permission denied, please|access denied|error: 40[13]\b",
        "access denied",
        "check username and password (or keySecret) of the connection, and the account's access to the repository",
    ),
    (
        r"certificate (problem|verif)|certificate verification failed|self.signed certificate",
        "the server's certificate is not trusted",
        "set GIT_SSL_CAINFO to the file of the certificate authority",
    ),
    (
        r"repository .*not found|not appear to be a git repository|does not exist|error: 404|'.*' not found"
        r"|no such file or directory",
        "the repository does not exist",
        "check uri of the connection; some servers report a private repository as missing without access to it",
    ),
    (
        r"transport '.*' not allowed",
        "it uses a transport that is not allowed",
        "submodules may use https, http and ssh",
    ),
    (
        r"no user exists for uid",
        "the current user has no name, which ssh requires",
        "use an image whose user is in /etc/passwd",
    ),
    (
        r"object does not exist on the server|lfs.*\[404\]",
        "a Git LFS file is missing on the server",
        "push it with `git lfs push --all`",
    ),
)
"""Pattern in git's output, the problem, and the hint; the first match counts."""
_SHALLOW_REJECTED = re.compile(
    r"does not support shallow|shallow.*not supported|unadvertised object|not our ref", re.IGNORECASE
)
_MAX_QUOTED_LINES = 6


@dataclass(frozen=True, slots=True)
class Git:
    """The git program in one directory, with the credentials of one connection."""

    directory: Path
    credentials: GitCredentials

    def run(self, *arguments: str, action: str, stdin: str | None = None) -> str:
        """Run git and return its standard output. `action` completes the error message "cannot …".

        Raises:
            UserError: Git failed because of the connection or the repository: access, URI, keys.
            ServiceFault: Git failed for another reason, such as the network.
            StepStopped: SIGTERM was received.
        """
        completed = self.try_run(*arguments, stdin=stdin)
        if completed.returncode != 0:
            raise self.error(action, completed)
        return completed.stdout

    def try_run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run git and return the completed process, with any exit status.

        Raises:
            UserError: Git is not installed.
            StepStopped: SIGTERM was received.
        """
        options = [part for name, value in self.credentials.settings for part in ("-c", f"{name}={value}")]
        try:
            completed = subprocess.run(
                ["git", "-C", str(self.directory), *options, *arguments],
                env=dict(self.credentials.environment),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise UserError("the program git is not installed", hint="use an image with git") from error
        check_stopped()
        return completed

    def error(self, action: str, completed: subprocess.CompletedProcess[str]) -> OdahuArgoError:
        """Return the error for a failed git, with the last lines of its output and without secrets."""
        output = without_credentials(self.credentials.redact(completed.stderr)).strip()
        lines = [line for line in output.splitlines() if line.strip()][-_MAX_QUOTED_LINES:]
        quoted = "\n    " + "\n    ".join(lines) if lines else f" exit status {completed.returncode}"
        message = f"cannot {without_credentials(action)}"
        for pattern, problem, hint in _USER_ERRORS:
            if re.search(pattern, output, re.IGNORECASE):
                return UserError(f"{message}: {problem}; git reported:{quoted}", hint=hint)
        return ServiceFault(f"{message}; git reported:{quoted}", hint="check the URI and the network")


def is_shallow_rejected(completed: subprocess.CompletedProcess[str]) -> bool:
    """Return whether the server refused to send a single commit, so that the whole history must be fetched."""
    return completed.returncode != 0 and _SHALLOW_REJECTED.search(completed.stderr) is not None
