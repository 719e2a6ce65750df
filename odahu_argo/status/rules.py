"""Engine for tables of rules that translate messages of Argo and Kubernetes into plain explanations.

Each rule has a pattern, a reason, a message and a hint; the first rule that matches applies. Names in braces are groups of
the pattern or facts about the step. The tables are in `pending_rules` and `failure_rules`.

Sources of the patterns: Argo 4.1's controller and executor (recordings, and workflow/controller/operator.go), the kubelet and
the scheduler.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.status.unstructured import integer


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a training is in its state: a reason, a sentence, and a suggested fix."""

    reason: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Explanation templates for messages that match a pattern."""

    pattern: re.Pattern[str]
    reason: str
    message: str
    hint: str = ""


def rule(pattern: str, reason: str, message: str, hint: str = "") -> Rule:
    """Return a rule. A full stop in the pattern matches line breaks too."""
    return Rule(re.compile(pattern, re.DOTALL), reason, message, hint)


# Patterns and hints that both tables use.
_CONNECTION_SECRET_PREFIX = naming.connection_secret("")
MISSING_CONNECTION_SECRET = (
    rf'[Ss]ecrets? "?(?:[\w-]+/)?{_CONNECTION_SECRET_PREFIX}(?P<connection>[\w.-]*\w)"? not found'
)
MISSING_SERVICE_ACCOUNT = r'serviceaccounts? "?(?P<account>[\w.:/-]*\w)"? not found'
EXCEEDED_QUOTA = r"exceeded quota: (?P<quota>[\w.-]*\w)"
EXIT_CODE = r"^(?P<container>[\w-]+): (?P<error>\w+) \(exit code (?P<code>-?\d+)\)"
CONNECTION_HINT = "create it from the connection's manifest: odahu-argo conn apply -f FILE"
SETUP_HINT = "install what the namespace needs: odahu-argo setup --apply"

MAX_MATCHED_LENGTH = 2048
MAX_QUOTE_LENGTH = 500
_HINT_PREFIX = "hint: "
_REASON = re.compile(
    r"(?:Pod failed before \w+ container starts due to )?(?P<reason>[A-Z][a-z]+[A-Z][A-Za-z]{1,60})(?::|$)"
    r"|[\w-]+: (?P<error>\w+) \(exit code"
)
_STEP_MESSAGE = re.compile(EXIT_CODE + r":\s(?P<text>.*)", re.DOTALL)
_ARGO_CONTAINERS = ("init", "wait", "supervisor")
_ARGO_EXIT_CODES = ("64", "65")
"""Exit codes of Argo's executor if it cannot start the step's program or fails before it."""


def explain(table: Sequence[Rule], message: str, facts: Mapping[str, str]) -> Explanation | None:
    """Return the explanation of the first rule that matches `message`, or None if none matches.

    Rules whose message mentions a step apply only if the facts contain one.
    """
    message = message[:MAX_MATCHED_LENGTH]
    for entry in table:
        if "{step}" in entry.message and not facts.get("step"):
            continue
        if match := entry.pattern.search(message):
            groups = {name: value for name, value in match.groupdict().items() if value}
            values = defaultdict(str, {"reason": leading_reason(message), "quote": _quote(message), **facts, **groups})
            return Explanation(*(part.format_map(values) for part in (entry.reason, entry.message, entry.hint)))
    return None


def step_explanation(message: str) -> Explanation | None:
    """Return the step's own error with its hint, from its termination message; None if the step left no message."""
    match = _STEP_MESSAGE.match(message)
    if match is None or match["container"] in _ARGO_CONTAINERS or match["code"] in _ARGO_EXIT_CODES:
        return None
    lines = match["text"].strip().splitlines()
    hints = [line.strip().removeprefix(_HINT_PREFIX) for line in lines if line.strip().startswith(_HINT_PREFIX)]
    error = "\n".join(line for line in lines if not line.strip().startswith(_HINT_PREFIX))
    return Explanation(match["error"], error, "\n".join(hints)) if error else None


def exit_code(message: str) -> int | None:
    """Return the exit code in a pod's message. The container that failed may be one of Argo's."""
    match = re.match(EXIT_CODE, message)
    return integer(match["code"]) if match else None


def leading_reason(message: str) -> str:
    """Return the reason that precedes a colon or an exit code, as in `ErrImagePull: …`; `Error` if there is none."""
    match = _REASON.match(message)
    return (match["reason"] or match["error"]) if match else "Error"


def _quote(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= MAX_QUOTE_LENGTH else f"{line[:MAX_QUOTE_LENGTH]}…"
