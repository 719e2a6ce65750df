"""Step times as bars, metrics as curves. Pure; widths are percentages, so text beside them keeps its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from odahu_argo.tracking import Metric
from odahu_argo.web.model import Step
from odahu_argo.web.text import number, seconds, took

NARROWEST = 0.6
"""Percent of the width: what took no time is still seen."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The time from the first step's beginning to the last one's end, or to now while one runs."""

    start: datetime | None
    length: float

    @property
    def ticks(self) -> tuple[str, ...]:
        """What stands at its beginning, middle and end."""
        return ("0", took(self.length / 2), took(self.length)) if self.length >= 1 else ("0", took(self.length))


def axis(steps: Sequence[Step], now: datetime) -> Axis:
    """The axis that the bars of these steps share."""
    starts = [step.started for step in steps if step.started]
    if not starts:
        return Axis(None, 0.0)
    start = min(starts)
    end = max(step.end(now) or start for step in steps)
    return Axis(start, seconds(start, end))


def bar(step: Step, scale: Axis, now: datetime) -> Markup:
    """The tries of a step along the axis."""
    rects = []
    for each in step.tries:
        if each.started is None or scale.start is None:
            continue
        end = each.finished or (now if each.state == "running" else each.started)
        length = scale.length or 1.0
        x = 100 * seconds(scale.start, each.started) / length
        width = max(NARROWEST, 100 * seconds(each.started, end) / length)
        x = min(x, 100 - width)
        rects.append(f'<rect class="state-{each.state}" x="{x:.2f}%" y="3" width="{width:.2f}%" height="12" rx="3"/>')
    return Markup(f'<svg class="bar" width="100%" height="18" aria-hidden="true">{"".join(rects)}</svg>')


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric's history as a picture, with what stands at its axes."""

    picture: Markup
    lowest: str
    highest: str
    first: str
    last: str


def curve(metric: Metric) -> Curve | None:
    """None where there are fewer than two values that can be drawn."""
    points = [(step, value) for step, value in metric.points if math.isfinite(value)]
    if len(points) < 2:
        return None
    steps = [step for step, _ in points]
    if steps[0] == steps[-1]:
        points, steps = [(place, value) for place, (_, value) in enumerate(points)], list(range(len(points)))
    values = [value for _, value in points]
    low, high = min(values), max(values)
    placed = [
        (_part(step, steps[0], steps[-1]), 1 - _part(value, low, high) if high > low else 0.5) for step, value in points
    ]
    line = " ".join(f"{100 * x:.2f},{100 * y:.2f}" for x, y in placed)
    x, y = placed[-1]
    told = f"{metric.name}: from {number(values[0])} to {number(values[-1])}, between {number(low)} and {number(high)}"
    picture = Markup(
        '<svg class="curve" role="img" aria-label="{}" width="100%" height="96"><svg x="0" y="4" width="100%" height="88"'
        ' viewBox="0 0 100 100" preserveAspectRatio="none"><polygon class="below" points="0,100 {} 100,100"/>'
        '<polyline class="line" points="{}" vector-effect="non-scaling-stroke"/></svg>'
        '<svg y="4" width="100%" height="88" overflow="visible">'
        '<circle class="end" cx="{:.2f}%" cy="{:.2f}%" r="3.5"/></svg></svg>'
    ).format(told, line, line, 100 * x, 100 * y)
    return Curve(picture, number(low), number(high), f"step {metric.points[0][0]}", f"step {metric.points[-1][0]}")


def _part(value: float, low: float, high: float) -> float:
    """Where the value lies between the two, from 0 to 1; also where their difference is beyond what a float holds."""
    spread = high / 2 - low / 2
    return (value / 2 - low / 2) / spread if spread else 0.5
