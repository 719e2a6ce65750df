"""The DAG of a training as SVG: from left to right on wide screens, from top to bottom on narrow ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from markupsafe import Markup, escape

from odahu_argo.status.model import StepStatus
from odahu_argo.web.model import duration, start_time
from odahu_argo.web.text import displayable, format_duration

HEIGHT, GAP, ROW = 52, 56, 68
NARROW = 320
MAX_SHRINKABLE = 1300
"""Pictures up to this width are scaled down to fit the page. Wider ones scroll."""
LANE, ARROW_ROOM = 12, 20
_CHARACTER = 8.3
"""Width of a letter in the widest common font."""
_PADDING = 54
"""Width of a box without the name in it."""


@dataclass(frozen=True, slots=True)
class Box:
    """A step and the position of its box."""

    step: StepStatus
    x: float
    y: float
    width: float


def draw_wide(steps: Sequence[StepStatus], now: datetime) -> Markup:
    """Draw levels from left to right. Steps that can run in parallel are stacked."""
    levels = _levels(steps)
    width = min(290.0, max(204.0, max((len(step.name) for step in steps), default=0) * _CHARACTER + _PADDING))
    rows = max((len(level) for level in levels), default=0)
    boxes: dict[str, Box] = {}
    for column, level in enumerate(levels):
        top = (rows - len(level)) * ROW / 2
        for row, step in enumerate(level):
            boxes[step.name] = Box(step, column * (width + GAP) + 1, top + row * ROW + 1, width)
    edges = [_curve(boxes[need], box) for box in boxes.values() for need in box.step.needs if need in boxes]
    size = (len(levels) * (width + GAP) - GAP + 2, rows * ROW - (ROW - HEIGHT) + 2)
    return _picture("dag-across", size, edges, boxes.values(), now)


def draw_narrow(steps: Sequence[StepStatus], now: datetime) -> Markup:
    """Draw one step per row. Edges that skip a row run through lanes on the left."""
    ordered = [step for level in _levels(steps) for step in level]
    row = {step.name: number for number, step in enumerate(ordered)}
    edges = [(row[need], row[step.name]) for step in ordered for need in step.needs if need in row]
    lanes = _lanes([edge for edge in edges if edge[1] - edge[0] > 1])
    left = max(lanes.values()) * LANE + ARROW_ROOM + 6 if lanes else 0
    boxes = [Box(step, left + 1, number * ROW + 1, NARROW - left - 2) for number, step in enumerate(ordered)]
    paths = [_straight(boxes[a], boxes[b]) for a, b in edges if b - a == 1]
    paths += [_around(boxes[a], boxes[b], left - ARROW_ROOM - lane * LANE) for (a, b), lane in lanes.items()]
    return _picture("dag-down", (NARROW, len(ordered) * ROW - (ROW - HEIGHT) + 2), paths, boxes, now)


def _levels(steps: Sequence[StepStatus]) -> list[list[StepStatus]]:
    """Group steps that can run in parallel. Steps in a cycle, which a DAG does not have, form the last group."""
    names = {step.name for step in steps}
    done: set[str] = set()
    remaining, levels = list(steps), []
    while remaining:
        ready = [step for step in remaining if done.issuperset(names.intersection(step.needs))] or remaining
        levels.append(ready)
        done.update(step.name for step in ready)
        remaining = [step for step in remaining if step.name not in done]
    return levels


def _lanes(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Assign a lane to each edge, shortest first. Edges share a lane only if they have an end in common or do not overlap."""
    lanes: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: edge[1] - edge[0]):
        taken = {lane for other, lane in lanes.items() if _conflict(edge, other)}
        lanes[edge] = next(lane for lane in range(len(edges)) if lane not in taken)
    return lanes


def _conflict(one: tuple[int, int], other: tuple[int, int]) -> bool:
    overlap = one[0] < other[1] and other[0] < one[1]
    return overlap and one[0] != other[0] and one[1] != other[1]


def _curve(one: Box, other: Box) -> str:
    x, y, to_x, to_y = one.x + one.width, one.y + HEIGHT / 2, other.x - 3, other.y + HEIGHT / 2
    middle = other.x - GAP / 2
    return f"M{x:g} {y:g}H{other.x - GAP:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"


def _straight(one: Box, other: Box) -> str:
    return f"M{one.x + 24:g} {one.y + HEIGHT:g}V{other.y - 3:g}"


def _around(one: Box, other: Box, lane: float) -> str:
    y, to_y = one.y + HEIGHT * 0.65, other.y + HEIGHT * 0.35
    out = f"M{one.x:g} {y:g}H{lane + 6:g}Q{lane:g} {y:g} {lane:g} {y + 6:g}"
    return f"{out}V{to_y - 6:g}Q{lane:g} {to_y:g} {lane + 6:g} {to_y:g}H{other.x - 3:g}"


def _picture(kind: str, size: tuple[float, float], edges: Sequence[str], boxes: Iterable[Box], now: datetime) -> Markup:
    boxes = list(boxes)
    width, height = size
    arrow = f"{kind}-arrow"
    classes = f"dag {kind} fits" if width < MAX_SHRINKABLE else f"dag {kind}"
    parts = [
        f'<svg class="{classes}" role="img" aria-labelledby="{kind}-title"',
        f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f'<title id="{kind}-title">',
        escape(_description(boxes)),
        "</title>",
        f'<defs><marker id="{arrow}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="arrow" d="M0 0L8 4L0 8z"/></marker></defs>',
        *(f'<path class="edge" marker-end="url(#{arrow})" d="{path}"/>' for path in edges),
        *(_box(box, now) for box in boxes),
        "</svg>",
    ]
    return Markup("").join(part if isinstance(part, Markup) else Markup(part) for part in parts)


def _box(box: Box, now: datetime) -> Markup:
    step = box.step
    capacity = int((box.width - _PADDING + 6) / _CHARACTER)
    name = displayable(step.name)
    label = name if len(name) <= capacity else f"{name[: max(1, capacity - 1)]}…"
    has_started = start_time(step) and step.state != "skipped"
    time = f" · {format_duration(duration(step, now))}" if has_started else ""
    progress = f" · {step.progress:.0%}" if step.state == "running" and step.progress else ""
    return Markup(
        '<g class="step state-{}" transform="translate({:g} {:g})"><title>{}</title>'
        '<rect class="box" width="{:g}" height="{}" rx="10"/><g transform="translate(14 {:g})">{}</g>'
        '<text class="name" x="40" y="22">{}</text><text class="about" x="40" y="39">{}</text></g>'
    ).format(
        step.state,
        box.x,
        box.y,
        name,
        box.width,
        HEIGHT,
        HEIGHT / 2 - 8,
        icon(step.state),
        label,
        step.state + progress + time,
    )


def _description(boxes: Iterable[Box]) -> str:
    """Return the picture as text for screen readers."""
    parts = []
    for box in boxes:
        after = f" after {' and '.join(map(displayable, box.step.needs))}" if box.step.needs else ""
        parts.append(f"{displayable(box.step.name)}{after}: {box.step.state}")
    return "Steps and their order. " + "; ".join(parts)


_RING = '<circle cx="8" cy="8" r="6.5"/>'
_ICONS = {
    "succeeded": _RING + '<path d="M5 8.3l2.2 2.2L11.2 6"/>',
    "failed": _RING + '<path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"/>',
    "running": '<circle class="rail" cx="8" cy="8" r="6.5"/><path class="turns" d="M8 1.5a6.5 6.5 0 0 1 6.5 6.5"/>',
    "scheduling": _RING + '<path d="M8 4.4V8l2.4 1.8"/>',
    "waiting": '<circle cx="8" cy="8" r="6.5" stroke-dasharray="2.4 2.7"/>',
    "skipped": _RING + '<path d="M5 8h6"/>',
    "stopped": _RING + '<path d="M6 6h4v4H6z"/>',
    "unknown": _RING + '<path d="M6.3 6.4a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.2M8 11.4v.2"/>',
}


def icon(state: str) -> Markup:
    """Return the icon of a state as a group for an SVG."""
    lines = _ICONS.get(state, _ICONS["unknown"])
    return Markup(f'<g class="sign" fill="none" stroke-width="1.6" stroke-linecap="round">{lines}</g>')


@lru_cache(maxsize=32)
def icon_svg(state: str) -> Markup:
    """Return the icon of a state as an SVG. Screen readers skip it and read the state next to it."""
    return Markup(
        f'<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{icon(state)}</svg>'
    )
