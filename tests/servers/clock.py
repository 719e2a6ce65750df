"""Another time of day for a process and all that it starts, by libfaketime; timers go on as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.programs import require_program


@dataclass(frozen=True)
class Clock:
    """What the processes with these variables are told can be changed while they run."""

    file: Path
    library: Path

    def set(self, offset: str) -> None:
        """By how much their clock is off: `-2d`, `+1h`, `+0`."""
        self.file.write_text(offset + "\n")

    @property
    def variables(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    require_program("faketime")
    [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    clock = Clock(tmp_path / "clock", library)
    clock.set("+0")
    return clock
