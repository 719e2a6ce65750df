"""What users are told of every recording and of the situations made by hand. `make goldens` writes it anew; read it then."""

from __future__ import annotations

import pytest

from odahu_argo.status.model import Status
from odahu_argo.status.state import read_status
from tests.conftest import ROOT
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import SITUATIONS

GOLDEN = ROOT / "tests" / "golden" / "status.txt"


def told(name: str, status: Status) -> str:
    head = " ".join(filter(None, [f"{name}: {status.state}", f"({status.reason})" if status.reason else ""]))
    code = "" if status.exit_code is None else f"exit code {status.exit_code}"
    about = ", ".join(filter(None, [status.step and f"step {status.step}", code]))
    lines = [head + (f"; {about}" if about else ""), *status.message.splitlines()]
    return "\n  ".join([*lines, *(f"hint: {line}" for line in status.hint.splitlines())])


def test_users_are_told_what_the_golden_says(request: pytest.FixtureRequest) -> None:
    workflows = {
        **{name: recording(name) for name in NAMES},
        **{f"by hand: {n}": each for n, each in SITUATIONS.items()},
    }
    text = "\n\n".join(told(name, read_status(workflow)) for name, workflow in workflows.items()) + "\n"
    if request.config.getoption("--update-goldens"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
