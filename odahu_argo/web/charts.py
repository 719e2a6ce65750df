"""Step durations as bars and metrics as curves, in SVG. Widths are percentages, so the text around keeps its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from odahu_argo.status.model import StepStatus
from odahu_argo.tracking import Metric
from odahu_argo.web.model import end_time, intervals, start_time
from odahu_argo.web.text import format_duration, format_number, seconds

MIN_WIDTH = 0.6
"""Percent. A bar without duration stays visible."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The time from the start of the first step to the end of the last one, in seconds."""

    start: datetime | None
    length: float

    @property
    def ticks(self) -> tuple[str, ...]:
        """Labels at the start, the middle and the end."""
        if self.length < 1:
            return "0", format_duration(self.length)
        return "0", format_duration(self.length / 2), format_duration(self.length)


def time_axis(steps: Sequence[StepStatus], now: datetime) -> TimeAxis:
    """Return the common axis of the bars of these steps."""
    starts = [start for step in steps if (start := start_time(step))]
    if not starts:
        return TimeAxis(None, 0.0)
    start = min(starts)
    end = max(end_time(step, now) or start for step in steps)
    return TimeAxis(start, seconds(start, end))


def duration_bar(step: StepStatus, axis: TimeAxis, now: datetime) -> Markup:
    """Draw the runs of a step along the axis."""
    rects = []
    for interval in intervals(step):
        if interval.start is None or axis.start is None:
            continue
        end = interval.end or (now if interval.state == "running" else interval.start)
        length = axis.length or 1.0
        x = 100 * seconds(axis.start, interval.start) / length
        width = max(MIN_WIDTH, 100 * seconds(interval.start, end) / length)
        x = min(x, 100 - width)
        rects.append(
            f'<rect class="state-{interval.state}" x="{x:.2f}%" y="3" width="{width:.2f}%" height="12" rx="3"/>'
        )
    return Markup(f'<svg class="bar" width="100%" height="18" aria-hidden="true">{"".join(rects)}</svg>')


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """The history of a metric as SVG, with the labels of its axes."""

    svg: Markup
    lowest: str
    highest: str
    first: str
    last: str


def metric_curve(metric: Metric) -> MetricCurve | None:
    """Draw the history of a metric. Return None if fewer than two values are finite."""
    points = [(step, value) for step, value in metric.points if math.isfinite(value)]
    if len(points) < 2:
        return None
    steps = [step for step, _ in points]
    if steps[0] == steps[-1]:
        points, steps = [(index, value) for index, (_, value) in enumerate(points)], list(range(len(points)))
    values = [value for _, value in points]
    low, high = min(values), max(values)
    positions = [
        (_fraction(step, steps[0], steps[-1]), 1 - _fraction(value, low, high) if high > low else 0.5)
        for step, value in points
    ]
    line = " ".join(f"{100 * x:.2f},{100 * y:.2f}" for x, y in positions)
    x, y = positions[-1]
    description = (
        f"{metric.name}: from {format_number(values[0])} to {format_number(values[-1])}, "
        f"between {format_number(low)} and {format_number(high)}"
    )
    svg = Markup(
        '<svg class="curve" role="img" aria-label="{}" width="100%" height="96"><svg x="0" y="4" width="100%" height="88"'
        ' viewBox="0 0 100 100" preserveAspectRatio="none"><polygon class="below" points="0,100 {} 100,100"/>'
        '<polyline class="line" points="{}" vector-effect="non-scaling-stroke"/></svg>'
        '<svg y="4" width="100%" height="88" overflow="visible">'
        '<circle class="end" cx="{:.2f}%" cy="{:.2f}%" r="3.5"/></svg></svg>'
    ).format(description, line, line, 100 * x, 100 * y)
    first, last = metric.points[0][0], metric.points[-1][0]
    return MetricCurve(svg, format_number(low), format_number(high), f"step {first}", f"step {last}")


def _fraction(value: float, low: float, high: float) -> float:
    """Return the position of a value between two others, from 0 to 1. Halving first avoids an overflow."""
    spread = high / 2 - low / 2
    return (value / 2 - low / 2) / spread if spread else 0.5
