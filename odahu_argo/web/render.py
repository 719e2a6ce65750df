"""The pages as HTML. Everything that is not ours is escaped, and shown without control characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from odahu_argo import __version__, templates
from odahu_argo.tracking import Run
from odahu_argo.web import charts, dag
from odahu_argo.web import text as words
from odahu_argo.web.dag import sign
from odahu_argo.web.model import Summary, TrainingView

ON_A_PAGE = 100
"""Trainings."""
STATES = ("running", "scheduling", "failed", "succeeded", "unknown")


def trainings_page(found: Sequence[Summary], start: str, state: str, number: int, **layout: Any) -> bytes:
    """The list: those of `state`, or all where it is empty; `number` counts its pages from 1.

    `start` is the command that starts a training, told where there is none.
    """
    return _render("page/trainings.html.j2", **_listed(found, state, number), start=start, **layout)


def trainings_part(found: Sequence[Summary], start: str, state: str, number: int) -> bytes:
    """What of the list changes as time goes by."""
    return _render("page/trainings_part.html.j2", **_listed(found, state, number), start=start)


def training_page(view: TrainingView, **layout: Any) -> bytes:
    """The page of one training."""
    return _render("page/training.html.j2", **_drawn(view), is_report=False, **layout)


def training_part(view: TrainingView) -> bytes:
    """What of a training's page changes as time goes by, but for its log."""
    return _render("page/training_part.html.j2", **_drawn(view), is_report=False)


def report(view: TrainingView, place: str) -> bytes:
    """The page of one training as a file that needs nothing from elsewhere."""
    style = Markup(templates.read("page/style.css"))  # our own file
    return _render("page/report.html.j2", **_drawn(view), place=place, style=style, is_report=True)


def sign_in_page(path: str, is_wrong: bool) -> bytes:
    """A form that asks for the token, and leads to `path` then."""
    return _render("page/sign_in.html.j2", path=path, is_wrong=is_wrong)


def problem_page(title: str, message: str, hint: str, **layout: Any) -> bytes:
    """What went wrong instead of the page that was asked for."""
    return _render("page/problem.html.j2", title=title, message=message, hint=hint, **layout)


def _listed(found: Sequence[Summary], state: str, number: int) -> dict[str, Any]:
    counts = Counter(each.state for each in found)
    chosen = [each for each in found if state in ("", each.state)]
    last = max(1, -(-len(chosen) // ON_A_PAGE))
    page = min(number, last)
    return {
        "rows": chosen[(page - 1) * ON_A_PAGE : page * ON_A_PAGE],
        "total": len(found),
        "chosen": state,
        "counts": [(each, counts[each]) for each in STATES if counts[each]],
        "page": page,
        "last": last,
        "now": datetime.now(UTC),
    }


def _drawn(view: TrainingView) -> dict[str, Any]:
    run = view.run if isinstance(view.run, Run) else None
    scale = charts.axis(view.steps, view.now)
    return {
        "view": view,
        "summary": view.summary,
        "run": run,
        "no_run": None if run else view.run,
        "across": dag.across(view.steps, view.now),
        "down": dag.down(view.steps, view.now),
        "axis": scale,
        "bars": [(step, charts.bar(step, scale, view.now)) for step in view.steps],
        "measured": [(metric, charts.curve(metric)) for metric in run.metrics] if run else [],
        "now": view.now,
    }


def _render(template: str, **values: Any) -> bytes:
    """UTF-8; what has no place in it, such as half a surrogate pair, becomes a question mark."""
    return _pages().get_template(template).render(**values).encode("utf-8", "replace")


@cache
def _pages() -> Environment:
    pages = templates.environment(autoescape=True)
    pages.finalize = lambda value: words.shown(value) if type(value) is str else value
    pages.globals |= {"sign": sign, "version": __version__}
    pages.filters |= {
        "ago": words.ago,
        "took": words.took,
        "number": words.number,
        "uncut": lambda text: escape(words.shown(text, None)),
        "utc": lambda time: time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if time else "",
    }
    pages.tests["live"] = lambda summary: summary.is_live
    return pages
