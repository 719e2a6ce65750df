"""A run as MLflow has recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MOST_CURVES = 24
"""Metrics whose history is read; of all others only the last value."""
MOST_POINTS = 320
"""Points of a curve; of a longer one some, evenly chosen."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its last value, and its values by step in their order. Values may be infinite or not a number."""

    name: str
    value: float
    points: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its parameters and metrics, by name. `status` is MLflow's word: RUNNING, FINISHED, FAILED, KILLED."""

    id: str
    experiment: str
    status: str
    parameters: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]


class Tracker(Protocol):
    """Where runs are read from."""

    def read(self, run_id: str) -> Run:
        """The run as it stands now; UserError where it is not known or not shown to us, ServiceFault where nobody answers."""


def thinned(points: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most `MOST_POINTS` of them, the first and the last among these."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS))
