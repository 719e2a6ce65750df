"""What Argo and Kubernetes say, in plain words, by tables: `hold_ups` and `failures`.

Each row has a pattern, the reason as a word in Kubernetes' or Argo's spelling, a sentence and a hint. The first row that
matches counts. Texts in braces are the pattern's groups or the facts that `explain` is given. Sources: the messages of
Argo 4.1's controller and executor (recordings, and workflow/controller/operator.go), of the kubelet and the scheduler.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odahu_argo import naming
from odahu_argo.status.unstructured import whole


@dataclass(frozen=True, slots=True)
class Words:
    """Why a training is where it is: a word, a plain sentence, and how to mend it."""

    reason: str = ""
    message: str = ""
    hint: str = ""


SILENCE = Words()


@dataclass(frozen=True, slots=True)
class Row:
    """How one thing that Argo or Kubernetes says is told."""

    pattern: re.Pattern[str]
    reason: str
    sentence: str
    hint: str = ""


def row(pattern: str, reason: str, sentence: str, hint: str = "") -> Row:
    """A row of a table. A full stop in the pattern stands for a line break too."""
    return Row(re.compile(pattern, re.DOTALL), reason, sentence, hint)


_CONNECTION = naming.connection_secret("")
SECRET_OF_A_CONNECTION = rf'[Ss]ecrets? "?(?:[\w-]+/)?{_CONNECTION}(?P<connection>[\w.-]*\w)"? not found'
NO_ACCOUNT = r'serviceaccounts? "?(?P<account>[\w.:/-]*\w)"? not found'
QUOTA = r"exceeded quota: (?P<quota>[\w.-]*\w)"
SETUP_HINT = "odahu-argo setup prints what a namespace needs; kubectl apply it"
ENDED = r"^(?P<container>[\w-]+): (?P<why>\w+) \(exit code (?P<code>-?\d+)\)"

LONGEST_MATCHED = 2048
LONGEST_QUOTE = 500
_HINT = "hint: "
_WORD = re.compile(
    r"(?:Pod failed before \w+ container starts due to )?(?P<word>[A-Z][a-z]+[A-Z][A-Za-z]{1,60})(?::|$)"
    r"|[\w-]+: (?P<why>\w+) \(exit code"
)
_OWN = re.compile(ENDED + r":\s(?P<text>.*)", re.DOTALL)
_ARGOS_CONTAINERS = ("init", "wait", "supervisor")
_ARGOS_EXIT_CODES = ("64", "65")
"""Of Argo's executor when it cannot run the step's program, or fails before it."""


def explain(table: Sequence[Row], said: str, facts: Mapping[str, str]) -> Words | None:
    """What the first matching row says; None where none matches. `said` is what Argo or Kubernetes has written.

    Rows that tell of a step are passed over where the facts name none.
    """
    said = said[:LONGEST_MATCHED]
    for each in table:
        if "{step}" in each.sentence and not facts.get("step"):
            continue
        if found := each.pattern.search(said):
            groups = {name: value for name, value in found.groupdict().items() if value}
            known = defaultdict(str, {"word": first_word(said), "said": _shortened(said), **facts, **groups})
            return Words(*(part.format_map(known) for part in (each.reason, each.sentence, each.hint)))
    return None


def own_words(said: str) -> Words | None:
    """What the step itself left as its last message, with its hint; None where the container said nothing of its own."""
    found = _OWN.match(said)
    if found is None or found["container"] in _ARGOS_CONTAINERS or found["code"] in _ARGOS_EXIT_CODES:
        return None
    lines = found["text"].strip().splitlines()
    hints = [line.strip().removeprefix(_HINT) for line in lines if line.strip().startswith(_HINT)]
    message = "\n".join(line for line in lines if not line.strip().startswith(_HINT))
    return Words(found["why"], message, "\n".join(hints)) if message else None


def exit_code(said: str) -> int | None:
    """The exit code that a pod's message tells: that of the container that failed, which may be one of Argo's."""
    found = re.match(ENDED, said)
    return whole(found["code"]) if found else None


def first_word(said: str) -> str:
    """Kubernetes' word for it, before a colon or an exit code; `Error` where there is none."""
    found = _WORD.match(said)
    return (found["word"] or found["why"]) if found else "Error"


def _shortened(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
