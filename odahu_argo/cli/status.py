"""`odahu-argo status`: the state of trainings from Workflow objects, offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import NoUrl

if TYPE_CHECKING:
    from odahu_argo.status.model import Status, StepStatus

MAX_CELL_LENGTH = 100


class StatusFormat(StrEnum):
    """Output format."""

    TABLE = "table"
    JSON = "json"


def status_command(
    file: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Workflows in JSON or YAML, as printed by kubectl; - is standard input. Repeatable.",
        ),
    ],
    output: Annotated[
        StatusFormat,
        typer.Option("--output", "-o", callback=render.set_format, metavar="table|json", help="Output format."),
    ] = StatusFormat.TABLE,
    elsewhere: NoUrl = None,
) -> None:
    """Report the state of trainings from Workflow objects. Needs no cluster.

    Accepts a Workflow, a List or several documents, also Workflows of other programs. The exit code does not depend on the
    states.

    Example: kubectl get workflows -o json | odahu-argo status -f -
    """
    from odahu_argo.status.load import load_workflows
    from odahu_argo.status.snapshot import training_id
    from odahu_argo.status.state import read_status

    workflows = load_workflows(file)
    for skipped, times in workflows.skipped.items():
        render.note(f"note: {skipped} skipped{f' ({times} times)' if times > 1 else ''}")
    statuses = [(training_id(workflow), read_status(workflow)) for workflow in workflows.workflows]
    if output is StatusFormat.JSON:
        items = [_item(name, status) for name, status in statuses]
        render.as_json(items[0] if workflows.single else items)
    elif workflows.single:
        _print_details(*statuses[0])
    else:
        _print_table(statuses)


def _item(name: str, status: Status) -> dict[str, Any]:
    from odahu_argo.odahu_api import artifacts_to_api

    return {
        "id": name,
        "state": status.state,
        "reason": status.reason,
        "message": status.message,
        "exitCode": status.exit_code,
        "step": status.step,
        "artifacts": artifacts_to_api(status.artifacts),
    }


def _print_details(name: str, status: Status) -> None:
    artifacts = status.artifacts
    rows = (
        ("id", name),
        ("state", status.state),
        ("reason", status.reason),
        ("message", status.message),
        ("hint", status.hint),
        ("exit code", "" if status.exit_code is None else str(status.exit_code)),
        ("started", status.started),
        ("finished", status.finished),
        ("runId", artifacts.run_id),
        ("artifactName", artifacts.artifact_name),
        ("commitID", artifacts.commit_id),
    )
    for title, value in rows:
        if value:
            render.out(f"{title + ':':<14}{_indented(value)}")
    if status.steps:
        render.out("")
        columns = ["STEP", "STATE", "ATTEMPTS", "STARTED", "FINISHED", "MESSAGE"]
        render.table(columns, [_step(step) for step in status.steps])


def _print_table(statuses: list[tuple[str, Status]]) -> None:
    """Print a row per training, then the hints."""
    columns = ["ID", "STATE", "STEP", "REASON", "MESSAGE"]
    render.table(columns, [[name, s.state, s.step, _cell(s.reason), _cell(s.message)] for name, s in statuses])
    for name, status in statuses:
        if status.hint:
            render.out(f"\n{name}: {status.message}\n  hint: {_indented(status.hint)}")


def _step(step: StepStatus) -> list[str]:
    attempts = str(len(step.runs)) if step.runs else ""
    return [step.name, step.state, attempts, step.started, step.finished, _cell(step.message)]


def _cell(text: str) -> str:
    line = text.partition("\n")[0].replace("\t", " ")
    return line if len(line) <= MAX_CELL_LENGTH else f"{line[: MAX_CELL_LENGTH - 1]}…"


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 14)
