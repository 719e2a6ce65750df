"""Results of a row: medians, spread and ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from tests.bench.measure import Sample

OURS = "odahu-argo"


@dataclass(frozen=True)
class Spread:
    """Median, minimum and maximum of several values."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Bar:
    """Target of a row: `text` for people, and `limit`, the maximum of our time relative to the rival's (`ratio`), of its
    difference in seconds (`difference`), or of our own value (`itself`).

    Without `rival`, the fastest peer is used. `memory` limits our peak memory in MiB; 0 sets no limit.
    """

    text: str
    limit: float
    rival: str = ""
    measure: Literal["ratio", "difference", "itself"] = "ratio"
    memory: int = 0


@dataclass(frozen=True)
class Row:
    """A row of the table: samples of each contender by round, in `unit`."""

    key: str
    what: str
    bar: Bar
    samples: Mapping[str, Sequence[Sample]]
    versions: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    apart: Sequence[str] = ()
    """Contenders that are not peers: lower bounds, and variants of our own command."""
    unit: Literal["s", "B"] = "s"
    """With B, `wall` of a sample is a size in bytes, and its other fields are 0."""
    note: str = ""
    ours: str = OURS

    @property
    def rival(self) -> str | None:
        """Name of the peer that ours is compared with."""
        if self.bar.measure == "itself":
            return None
        if self.bar.rival:
            return self.bar.rival if self.bar.rival in self.samples else None
        peers = [name for name in self.samples if name != self.ours and name not in self.apart]
        return min(peers, key=lambda name: self.wall(name).middle, default=None)

    def wall(self, name: str) -> Spread:
        return Spread.of([each.wall for each in self.samples[name]])

    def cpu(self, name: str) -> Spread:
        return Spread.of([each.cpu for each in self.samples[name]])

    def peak(self, name: str) -> int:
        return max(each.peak for each in self.samples[name])

    def ratio(self, measure: Literal["wall", "cpu"] = "wall") -> Spread | None:
        """Our time divided by the rival's, computed within each round."""
        if self.ours not in self.samples or self.rival is None:
            return None
        pairs = zip(self.samples[self.ours], self.samples[self.rival], strict=False)
        found = [
            getattr(ours, measure) / getattr(theirs, measure) for ours, theirs in pairs if getattr(theirs, measure)
        ]
        return Spread.of(found) if found else None

    @property
    def judged(self) -> float | None:
        """The value that the target limits."""
        if self.ours not in self.samples:
            return None
        if self.bar.measure == "itself":
            return self.wall(self.ours).middle
        if self.bar.measure == "difference":
            return self.wall(self.ours).middle - self.wall(self.rival).middle if self.rival else None
        ratio = self.ratio()
        return ratio.middle if ratio else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None if it cannot be decided."""
        return None if self.judged is None else self.judged <= self.bar.limit and not self.exceeds_memory

    @property
    def exceeds_memory(self) -> bool:
        """Whether our peak memory exceeds the target's limit."""
        return bool(self.bar.memory) and self.ours in self.samples and self.peak(self.ours) > self.bar.memory * 2**20

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Row:
        samples = {name: [Sample(**each) for each in found] for name, found in data["samples"].items()}
        return cls(**{**data, "bar": Bar(**data["bar"]), "samples": samples})


@dataclass(frozen=True)
class Growth:
    """Median wall time in seconds by size."""

    what: str
    seconds: Mapping[str, float]

    @property
    def slope(self) -> float:
        """Exponent of the growth between the two largest sizes: 1 is linear."""
        from math import log

        (small, first), (large, second) = sorted((int(size), each) for size, each in self.seconds.items())[-2:]
        return log(second / first) / log(large / small)
