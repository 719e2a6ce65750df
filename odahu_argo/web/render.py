"""The pages as HTML. Text from other sources is escaped and displayed without control characters."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from odahu_argo import __version__, templates
from odahu_argo.tracking import MlflowRun
from odahu_argo.trainings.selection import TrainingPage
from odahu_argo.web import charts, dag, text
from odahu_argo.web.model import TrainingDetails, duration, intervals, list_row, start_time

PAGE_SIZE = 100
STATES = ("running", "scheduling", "failed", "succeeded", "unknown")


def trainings_page(page: TrainingPage, create_command: str, state: str, **layout: Any) -> bytes:
    """Render a page of the trainings, or of those in `state` if it is not empty.

    `create_command` is displayed if there are no trainings.
    """
    values = _list_values(page, state)
    return _render("page/trainings.html.j2", **values, create_command=create_command, **layout)


def trainings_part(page: TrainingPage, create_command: str, state: str) -> bytes:
    """Render the part of the list that refreshes."""
    values = _list_values(page, state)
    return _render("page/trainings_part.html.j2", **values, create_command=create_command)


def training_page(details: TrainingDetails, **layout: Any) -> bytes:
    """Render the page of one training."""
    return _render("page/training.html.j2", **_training_values(details), is_report=False, **layout)


def training_part(details: TrainingDetails) -> bytes:
    """Render the parts of a training's page that refresh, except for the log."""
    return _render("page/training_part.html.j2", **_training_values(details), is_report=False)


def report(details: TrainingDetails, location: str) -> bytes:
    """Render the page of one training as a self-contained file."""
    style = Markup(templates.read("page/style.css"))  # the project's own file
    return _render("page/report.html.j2", **_training_values(details), location=location, style=style, is_report=True)


def sign_in_page(path: str, is_wrong: bool) -> bytes:
    """Render the form for the token, which redirects to `path`."""
    return _render("page/sign_in.html.j2", path=path, is_wrong=is_wrong)


def problem_page(title: str, message: str, hint: str, **layout: Any) -> bytes:
    """Render an error instead of the requested page."""
    return _render("page/problem.html.j2", title=title, message=message, hint=hint, **layout)


def _list_values(page: TrainingPage, state: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "rows": [list_row(training, now) for training in page.trainings],
        "total": sum(page.counts.values()),
        "selected_state": state,
        "counts": [(name, page.counts[name]) for name in STATES if page.counts.get(name)],
        "page": page.number,
        "last_page": page.last,
        "outage": page.outage,
        "outdated_since": text.format_age(page.outage.since, now) if page.outage else "",
    }


def _training_values(details: TrainingDetails) -> dict[str, Any]:
    training, now = details.training, details.now
    run = details.run if isinstance(details.run, MlflowRun) else None
    steps = training.steps
    axis = charts.time_axis(steps, now)
    return {
        "details": details,
        "training": training,
        "status": training.status,
        "run": run,
        "no_run": None if run else details.run,
        "wide_dag": dag.draw_wide(steps, now),
        "narrow_dag": dag.draw_narrow(steps, now),
        "axis": axis,
        "bars": [(step, charts.duration_bar(step, axis, now)) for step in steps],
        "metric_curves": [(metric, charts.metric_curve(metric)) for metric in run.metrics] if run else [],
        "now": now,
    }


def _render(template: str, **values: Any) -> bytes:
    """Render as UTF-8. Characters that UTF-8 cannot encode, such as lone surrogates, become question marks."""
    return _environment().get_template(template).render(**values).encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    environment = templates.environment(autoescape=True)
    environment.finalize = lambda value: text.displayable(value) if type(value) is str else value
    environment.globals |= {"icon": dag.icon_svg, "version": __version__}
    environment.filters |= {
        "age": lambda time, now: text.format_age(text.parse_time(time), now),
        "duration": text.format_duration,
        "step_duration": lambda step, now: text.format_duration(duration(step, now)) if start_time(step) else "",
        "intervals": intervals,
        "number": text.format_number,
        "uncut": lambda value: escape(text.displayable(value, None)),
        "utc": _format_utc,
        "sentence": lambda value: f"{value[:1].upper()}{value[1:]}." if value else "",
    }
    return environment


def _format_utc(value: str | datetime) -> str:
    return text.format_utc(text.parse_time(value) if isinstance(value, str) else value)
