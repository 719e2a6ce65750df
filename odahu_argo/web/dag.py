"""The DAG as a picture: from left to right where there is room, else from top to bottom. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from odahu_argo.web.model import Step
from odahu_argo.web.text import shown, took

HEIGHT, GAP, ROW = 52, 56, 68
NARROW = 320
MOST_SHRUNK = 1300
"""A picture that is not wider may be shown a little smaller than it is, rather than be scrolled."""
LANE, ARRIVAL = 12, 20
_CHARACTER = 8.3
"""The width of a letter in the widest of the usual fonts."""
_BESIDE_THE_NAME = 54


@dataclass(frozen=True, slots=True)
class Box:
    """A step and where its box is."""

    step: Step
    x: float
    y: float
    width: float


def across(steps: Sequence[Step], now: datetime) -> Markup:
    """Levels from left to right; steps that can run side by side stand below each other."""
    levels = _levels(steps)
    width = min(290.0, max(204.0, max((len(step.name) for step in steps), default=0) * _CHARACTER + _BESIDE_THE_NAME))
    rows = max((len(level) for level in levels), default=0)
    boxes: dict[str, Box] = {}
    for column, level in enumerate(levels):
        top = (rows - len(level)) * ROW / 2
        for row, step in enumerate(level):
            boxes[step.name] = Box(step, column * (width + GAP) + 1, top + row * ROW + 1, width)
    edges = [_curve(boxes[need], box) for box in boxes.values() for need in box.step.needs if need in boxes]
    size = (len(levels) * (width + GAP) - GAP + 2, rows * ROW - (ROW - HEIGHT) + 2)
    return _picture("dag-across", size, edges, boxes.values(), now)


def down(steps: Sequence[Step], now: datetime) -> Markup:
    """One step below the other. What does not lead to the next step runs through lanes at the left."""
    ordered = [step for level in _levels(steps) for step in level]
    place = {step.name: number for number, step in enumerate(ordered)}
    edges = [(place[need], place[step.name]) for step in ordered for need in step.needs if need in place]
    lanes = _lanes([edge for edge in edges if edge[1] - edge[0] > 1])
    left = max(lanes.values()) * LANE + ARRIVAL + 6 if lanes else 0
    boxes = [Box(step, left + 1, number * ROW + 1, NARROW - left - 2) for number, step in enumerate(ordered)]
    paths = [_straight(boxes[a], boxes[b]) for a, b in edges if b - a == 1]
    paths += [_around(boxes[a], boxes[b], left - ARRIVAL - lane * LANE) for (a, b), lane in lanes.items()]
    return _picture("dag-down", (NARROW, len(ordered) * ROW - (ROW - HEIGHT) + 2), paths, boxes, now)


def _levels(steps: Sequence[Step]) -> list[list[Step]]:
    """Groups that can run side by side. What waits for itself, as no DAG does, comes last."""
    known = {step.name for step in steps}
    done: set[str] = set()
    remaining, levels = list(steps), []
    while remaining:
        ready = [step for step in remaining if done.issuperset(known.intersection(step.needs))] or remaining
        levels.append(ready)
        done.update(step.name for step in ready)
        remaining = [step for step in remaining if step.name not in done]
    return levels


def _lanes(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each edge, the shortest first; only those from one step, or to one step, share theirs."""
    lanes: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: edge[1] - edge[0]):
        taken = {lane for other, lane in lanes.items() if _are_in_the_way(edge, other)}
        lanes[edge] = next(lane for lane in range(len(edges)) if lane not in taken)
    return lanes


def _are_in_the_way(one: tuple[int, int], other: tuple[int, int]) -> bool:
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
    classes = f"dag {kind} fits" if width < MOST_SHRUNK else f"dag {kind}"
    parts = [
        f'<svg class="{classes}" role="img" aria-labelledby="{kind}-title"',
        f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f'<title id="{kind}-title">',
        escape(_told(boxes)),
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
    room = int((box.width - _BESIDE_THE_NAME + 6) / _CHARACTER)
    name = shown(step.name)
    cut = name if len(name) <= room else f"{name[: max(1, room - 1)]}…"
    time = f" · {took(step.took(now))}" if step.started and step.state != "skipped" else ""
    done = f" · {step.progress:.0%}" if step.state == "running" and step.progress else ""
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
        cut,
        step.state + done + time,
    )


def _told(boxes: Iterable[Box]) -> str:
    """The picture in words, for those who do not see it."""
    told = []
    for box in boxes:
        after = f" after {' and '.join(map(shown, box.step.needs))}" if box.step.needs else ""
        told.append(f"{shown(box.step.name)}{after}: {box.step.state}")
    return "The steps and their order. " + "; ".join(told)


_RING = '<circle cx="8" cy="8" r="6.5"/>'
_SIGNS = {
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
    """The sign's lines, to be put into an SVG."""
    lines = _SIGNS.get(state, _SIGNS["unknown"])
    return Markup(f'<g class="sign" fill="none" stroke-width="1.6" stroke-linecap="round">{lines}</g>')


def sign(state: str) -> Markup:
    """The sign as an SVG of its own; whoever cannot see it reads the word beside it."""
    return Markup(
        f'<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{icon(state)}</svg>'
    )
