"""The pod's grace period belongs to the training program, except for the time to end its run."""

from __future__ import annotations

import subprocess
import sys

import pytest

VALUES = """\
from odahu_argo.launcher import program
from odahu_argo.steps import runtime
print(program.CHILD_GRACE, program.STOP_GRACE, runtime.CHILD_GRACE, runtime.STOP_GRACE)
"""


@pytest.mark.parametrize(
    ("grace", "expected"),
    [
        ("", "10.0 20.0 15.0 20.0"),
        ("120", "100.0 110.0 105.0 110.0"),
        ("6", "2.0 4.0 3.0 4.0"),
        ("0", "10.0 20.0 15.0 20.0"),
        ("two", "10.0 20.0 15.0 20.0"),
    ],
)
def test_grace_period_of_pod_is_divided(grace: str, expected: str) -> None:
    environment = {"ARGO_TERMINATION_GRACE_PERIOD_SECONDS": grace}
    ended = subprocess.run([sys.executable, "-c", VALUES], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == expected
