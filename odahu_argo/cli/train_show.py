"""`odahu-argo train get|history|logs`: show trainings."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import completion, render
from odahu_argo.cli.formats import OutputFormat, age, show
from odahu_argo.cli.options import Files, by_id_or_file
from odahu_argo.cli.target import Target, backend_options, cluster_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odahu_argo.backends.base import Backend
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.trainings.model import Attempt, Training

SomeId = Annotated[
    str | None,
    typer.Option(
        "--id", "--train-id", metavar="ID", autocompletion=completion.trainings, help="Select a training by ID."
    ),
]


class TrainingState(StrEnum):
    """State of a training, for `--state`."""

    SCHEDULING = "scheduling"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


COLUMNS = ("ID", "STATE", "REASON", "MODEL", "VERSION", "AGE", "ARTIFACT")
MORE_COLUMNS = ("ATTEMPT", "WORKFLOW", "STEP", "QUEUE", "EXIT", "RUN ID", "COMMIT")


@backend_options
def get_command(
    target: Target,
    training_id: SomeId = None,
    output: OutputFormat = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print a line per change until Ctrl-C.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Show the N newest trainings, newest first.")
    ] = None,
    state: Annotated[
        list[TrainingState] | None,
        typer.Option("--state", metavar="STATE", help="Show trainings in this state. Repeatable."),
    ] = None,
) -> None:
    """List trainings with state, reason and artifact. With --id, also show the steps.

    Example: odahu-argo train get --state failed --limit 20
    """
    from odahu_argo.errors import UserError
    from odahu_argo.odahu_api import training_to_api

    if (limit or state) and (watch or training_id):
        raise UserError("--limit and --state cannot be combined with --id or --watch")
    backend = target.backend()
    if watch:
        _watch(backend, training_id, is_wide=output == "wide")
        return
    trainings = _select(backend, limit, state) if training_id is None else [backend.trainings.get(training_id)]

    def table(is_wide: bool) -> None:
        if not trainings:
            render.note(f"no trainings found ({backend.info.location})")
            return
        render.table(_columns(is_wide), [_row(training, is_wide) for training in trainings])
        if training_id is not None:
            _print_details(trainings[0])

    show([training_to_api(training) for training in trainings], output, table)


@cluster_options
def history_command(
    target: Target,
    training_id: Annotated[
        str,
        typer.Option(
            "--id", "--train-id", metavar="ID", autocompletion=completion.trainings, help="ID of the training."
        ),
    ],
    output: OutputFormat = None,
) -> None:
    """List all runs of a training, newest first.

    Example: odahu-argo train history --id wine
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend
    from odahu_argo.odahu_api import history_to_api
    from odahu_argo.trainings.queries import now

    training = KubernetesBackend(*target.cluster()).trainings.history(training_id)
    time = now()

    def table(is_wide: bool) -> None:
        columns = ["ATTEMPT", "STATE", "REASON", "AGE", "WORKFLOW", "ARTIFACT", *(["MESSAGE"] if is_wide else [])]
        render.table(columns, [_history_row(attempt, time, is_wide) for attempt in reversed(training.attempts)])

    show(history_to_api(training), output, table)


@backend_options
def logs_command(
    target: Target,
    training_id: SomeId = None,
    file: Files = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="Print only this step, without its name as a prefix.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--not-follow", help="Continue until the training ends.")] = True,
) -> None:
    """Print the logs of a training. Logs of deleted pods are read from Argo's log archive, if configured.

    Example: odahu-argo train logs --id wine --step train
    """
    from odahu_argo.errors import UserError
    from odahu_argo.trainings.events import LogNote

    names = by_id_or_file("training", training_id, file, training_ids)
    if len(names) != 1:
        raise UserError(f"the manifests contain {len(names)} trainings", hint="select one with --id ID")
    for event in target.backend().trainings.logs(names[0], step, follow):
        if isinstance(event, LogNote):
            render.note(event.text)
        elif not render.out(event.text if step else f"{event.step} | {event.text}"):
            return


def _select(backend: Backend, limit: int | None, states: Sequence[TrainingState] | None) -> Sequence[Training]:
    """Return all trainings sorted by ID, or the newest ones in these states."""
    from odahu_argo.trainings.selection import PageRequest, TrainingFilter

    if not limit and not states:
        return backend.trainings.list()
    selection = TrainingFilter(states=tuple(state.value for state in states or ()))
    page = backend.trainings.page(selection, PageRequest(1, limit or sys.maxsize, is_newest_first=limit is not None))
    if page.total > len(page.trainings):
        render.note(f"the newest {len(page.trainings):,} of {page.total:,} trainings")
    return page.trainings


def training_ids(manifests: Manifests) -> list[str]:
    """Return the IDs of the trainings in the manifests."""
    return [written.manifest.id for written in manifests.trainings]


def _watch(backend: Backend, training_id: str | None, is_wide: bool) -> None:
    from odahu_argo.trainings.events import Changed, Deleted, Disconnected, Reconnected

    shown: dict[str, list[str]] = {}
    widths = [max(len(column), 12) for column in _columns(is_wide)]
    render.out(_line(_columns(is_wide), widths))
    for change in backend.trainings.watch(training_id):
        match change:
            case Disconnected(message):
                render.live(f"disconnected: {message}")
            case Reconnected():
                render.live("reconnected")
            case Deleted(name):
                shown.pop(name, None)
                render.live(f"{name} was deleted")
            case Changed(training):
                row = _row(training, is_wide)
                if shown.get(training.id) != _without_age(row):
                    shown[training.id] = _without_age(row)
                    widths = [max(pair) for pair in zip(widths, map(len, row), strict=True)]
                    if not render.out(_line(row, widths)):
                        return


def _without_age(row: list[str]) -> list[str]:
    return [cell for column, cell in zip((*COLUMNS, *MORE_COLUMNS), row, strict=False) if column != "AGE"]


def _line(cells: list[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _columns(is_wide: bool) -> list[str]:
    return [*COLUMNS, *(MORE_COLUMNS if is_wide else ())]


def _row(training: Training, is_wide: bool) -> list[str]:
    from odahu_argo.trainings.queries import now

    newest, status, artifacts = training.newest, training.status, training.status.artifacts
    row = [
        training.id,
        status.state,
        newest.local.reason if newest.local else status.reason,
        newest.model_name,
        newest.model_version,
        age(newest.created, now()),
        artifacts.artifact_name,
    ]
    if is_wide:
        attempt = str(newest.number or "")
        code = "" if status.exit_code is None else str(status.exit_code)
        queue = str(status.queue or "")
        row += [attempt, newest.workflow, status.step, queue, code, artifacts.run_id, artifacts.commit_id]
    return row


def _print_details(training: Training) -> None:
    """Print the message, the hint and the steps of a training."""
    if training.status.message:
        render.out(f"\n{training.status.message}")
    if training.status.hint:
        render.out(f"  hint: {training.status.hint}")
    render.out("")
    rows = [
        [
            step.name,
            step.state,
            str(max(1, len(step.runs))),
            _took(step.started, step.finished),
            _first_line(step.message),
        ]
        for step in training.steps
    ]
    render.table(["STEP", "STATE", "TRIES", "TOOK", "MESSAGE"], rows)


def _took(started: str, finished: str) -> str:
    from odahu_argo.trainings.queries import now

    return age(started, finished or now()) if started else ""


def _history_row(attempt: Attempt, time: str, is_wide: bool) -> list[str]:
    status = attempt.status
    workflow = f"{attempt.workflow} (gone)" if attempt.is_gone else attempt.workflow
    row = [
        str(attempt.number),
        status.state,
        status.reason,
        age(attempt.created, time),
        workflow,
        status.artifacts.artifact_name,
    ]
    return [*row, _first_line(status.message)] if is_wide else row


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
