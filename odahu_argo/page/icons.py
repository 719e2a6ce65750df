"""A sign for each state, so that colour is never the only one: 16 by 16, drawn with lines."""

from __future__ import annotations

from markupsafe import Markup

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
