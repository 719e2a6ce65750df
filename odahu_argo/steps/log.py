"""The one place where steps print: plain lines, each flushed, so that a log follows the work as it goes."""

from __future__ import annotations

import sys


def log(step: str, text: str) -> None:
    """Print `step: text`; each further line of the text gets the same beginning. Control characters become `?`."""
    for line in text.splitlines() or [""]:
        shown = "".join(character if character.isprintable() or character == "\t" else "?" for character in line)
        sys.stdout.write(f"{step}: {shown}\n")
    sys.stdout.flush()
