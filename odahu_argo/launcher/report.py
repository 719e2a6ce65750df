"""Log lines, errors and the termination message of the launcher."""

import os
import sys
from typing import Optional

EXIT_USER_ERROR = 2
EXIT_FAULT = 3
EXIT_FINAL_FAULT = 4
MAX_MESSAGE_BYTES = 2000
MESSAGE_VARIABLE = "ODAHU_ARGO_MESSAGE"
MESSAGE = "/dev/termination-log"


class LaunchError(Exception):
    """The launch failed. Contains the message, a hint, and the exit code of the step contract."""

    def __init__(self, message: str, hint: Optional[str], exit_code: int) -> None:
        super().__init__("{}\n  hint: {}".format(message, hint) if hint else message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class LaunchStopped(Exception):
    """The launch ends early because SIGTERM was received."""


def user_error(message: str, hint: Optional[str] = None) -> LaunchError:
    """Return an error that the user must fix; it is not retried."""
    return LaunchError(message, hint, EXIT_USER_ERROR)


def fault(message: str, hint: Optional[str] = None) -> LaunchError:
    """Return a transient fault; a retry may succeed."""
    return LaunchError(message, hint, EXIT_FAULT)


def log(text: str) -> None:
    """Print `train: text`, with the prefix on each line. Control characters and invalid Unicode become `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in text.splitlines() or [""]:
        printable = "".join(character if character.isprintable() or character == "\t" else "?" for character in line)
        sys.stdout.write("train: " + printable.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def write_message(text: str) -> None:
    """Write the termination message, which becomes the reason of the failed step."""
    message = text.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES]
    try:
        with open(os.environ.get(MESSAGE_VARIABLE, MESSAGE), "wb") as file:
            file.write(message)
    except OSError:
        pass
