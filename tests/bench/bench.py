"""Environment of a row: working directory, log function and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Contender, Sample, measure_rounds
from tests.bench.peers import Missing


@dataclass(frozen=True)
class Bench:
    """Environment of one row. `folder` is empty at first. With `toy`, rows run in seconds; their figures mean nothing."""

    folder: Path
    tell: Callable[[str], None]
    toy: bool = False

    def size(self, whole: int, toy: int) -> int:
        return toy if self.toy else whole

    def new(self, name: str) -> Path:
        """Create a directory."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def race(
        self, makers: Mapping[str, Callable[[], Contender]], repeats: int, warm: bool = True
    ) -> tuple[dict[str, list[Sample]], dict[str, str], dict[str, str]]:
        """Measure all contenders; return samples and versions by name, and the reasons why contenders are missing."""
        contenders: list[Contender] = []
        absent: dict[str, str] = {}
        for name, make in makers.items():
            try:
                contenders.append(make())
            except Missing as error:
                absent[name] = str(error)
                self.tell(f"  {name} is skipped: {error}")
        samples, failed = measure_rounds(contenders, 1 if self.toy else repeats, self.tell, warm and not self.toy)
        return (
            samples,
            {contender.name: contender.version for contender in contenders if contender.version},
            absent | failed,
        )
