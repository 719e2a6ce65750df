"""What every row is given: a folder, somebody to tell, and how large it shall be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Contender, Sample, by_turns
from tests.bench.peers import Missing


@dataclass(frozen=True)
class Bench:
    """`folder` is empty at first. A toy shows that all of it runs, in seconds; its figures mean nothing."""

    folder: Path
    tell: Callable[[str], None]
    toy: bool = False

    def size(self, whole: int, toy: int) -> int:
        return toy if self.toy else whole

    def new(self, name: str) -> Path:
        """A new folder."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def race(
        self, makers: Mapping[str, Callable[[], Contender]], repeats: int, warm: bool = True
    ) -> tuple[dict[str, list[Sample]], dict[str, str], dict[str, str]]:
        """Samples of those that could be had, the versions of these, and why others are missing."""
        found: list[Contender] = []
        absent: dict[str, str] = {}
        for name, make in makers.items():
            try:
                found.append(make())
            except Missing as error:
                absent[name] = str(error)
                self.tell(f"  {name} is left out: {error}")
        samples, failed = by_turns(found, 1 if self.toy else repeats, self.tell, warm and not self.toy)
        return samples, {each.name: each.version for each in found if each.version}, absent | failed
