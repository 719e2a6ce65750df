"""`odahu-argo train get|history|logs`: what shows trainings of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import completing, render
from odahu_argo.cli.forms import Form, age, show
from odahu_argo.cli.options import Files, KubeContext, Namespace, ProfileFile, by_id_or_file, cluster

if TYPE_CHECKING:
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.submit.cluster import Cluster
    from odahu_argo.trainings.model import Attempt, Training

SomeId = Annotated[
    str | None, typer.Option("--id", "--train-id", autocompletion=completing.trainings, help="Only this training.")
]
COLUMNS = ("ID", "STATE", "REASON", "MODEL", "VERSION", "AGE", "ARTIFACT")
MORE_COLUMNS = ("ATTEMPT", "WORKFLOW", "STEP", "EXIT", "RUN ID", "COMMIT")


def get_command(
    training_id: SomeId = None,
    output: Form = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on with a line for each change, until Ctrl-C.")
    ] = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Show trainings: their state, why, and what they have left.

    Example: odahu-argo train get -o 'jsonpath=[*].spec.model.name'
    """
    from odahu_argo.trainings.odahu_form import odahu_form
    from odahu_argo.trainings.read import find_training, list_trainings

    connected, _ = cluster(profile, namespace, context)
    if watch:
        _watch(connected, training_id, is_wide=output == "wide")
        return
    trainings = list_trainings(connected) if training_id is None else [find_training(connected, training_id)]

    def table(is_wide: bool) -> None:
        if not trainings:
            render.note(f"no trainings in namespace {connected.namespace}")
            return
        render.table(_columns(is_wide), [_row(training, is_wide) for training in trainings])
        if training_id is not None:
            _details(trainings[0])

    show([odahu_form(training) for training in trainings], output, table)


def history_command(
    training_id: Annotated[
        str, typer.Option("--id", "--train-id", autocompletion=completing.trainings, help="The training.")
    ],
    output: Form = None,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Show every run of a training, the newest first.

    Example: odahu-argo train history --id wine
    """
    from odahu_argo.trainings.odahu_form import history_form
    from odahu_argo.trainings.read import find_training, now

    connected, _ = cluster(profile, namespace, context)
    training = find_training(connected, training_id)
    time = now()

    def table(is_wide: bool) -> None:
        columns = ["ATTEMPT", "STATE", "REASON", "AGE", "WORKFLOW", "ARTIFACT", *(["MESSAGE"] if is_wide else [])]
        render.table(columns, [_history_row(each, time, is_wide) for each in reversed(training.attempts)])

    show(history_form(training), output, table)


def logs_command(
    training_id: SomeId = None,
    file: Files = None,
    step: Annotated[
        str | None, typer.Option("--step", help="Only this step, without its name before each line.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--not-follow", help="Go on until the training has ended.")] = True,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Print what the steps of a training have printed, from pods that are gone as well where Argo archives logs.

    Example: odahu-argo train logs --id wine --step train
    """
    from odahu_argo.errors import UserError

    names = by_id_or_file("training", training_id, file, training_ids)
    if len(names) != 1:
        raise UserError(f"logs are those of one training; the manifests hold {len(names)}", hint="name it by --id")
    connected, settings = cluster(profile, namespace, context)
    _logs(connected, names[0], step, follow, settings.argo.log_connection)


def training_ids(manifests: Manifests) -> list[str]:
    """The trainings among the manifests."""
    return [each.manifest.id for each in manifests.trainings]


def _logs(connected: Cluster, training_id: str, step: str | None, follow: bool, log_connection: str | None) -> None:
    from odahu_argo.trainings.follow import read_or_follow
    from odahu_argo.trainings.read import find_training

    for line in read_or_follow(connected, find_training(connected, training_id), follow, step, log_connection):
        if isinstance(line, str):
            render.note(line)
        elif not render.out(line.text if step else f"{line.step} | {line.text}"):
            return


def _watch(connected: Cluster, training_id: str | None, is_wide: bool) -> None:
    from odahu_argo.trainings.watching import Deleted, InSight, OutOfSight, watch_trainings

    shown: dict[str, list[str]] = {}
    widths = [max(len(column), 12) for column in _columns(is_wide)]
    render.out(_line(_columns(is_wide), widths))
    for change in watch_trainings(connected, training_id):
        match change:
            case OutOfSight(why):
                render.live(f"states are unknown for now: {why}")
            case InSight():
                render.live("states are known again")
            case Deleted(name):
                shown.pop(name, None)
                render.live(f"{name} was deleted")
            case _:
                row = _row(change.training, is_wide)
                if shown.get(change.training.id) != _without_age(row):
                    shown[change.training.id] = _without_age(row)
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
    from odahu_argo.trainings.read import now

    status, newest = training.status, training.newest
    model = newest.spec.get("model") or {}
    row = [
        training.id,
        status.state,
        status.reason,
        str(model.get("name", "")),
        str(model.get("version", "")),
        age(newest.created, now()),
        status.artifacts.artifact_name,
    ]
    if is_wide:
        code = "" if status.exit_code is None else str(status.exit_code)
        row += [str(newest.number), newest.workflow, status.step, code]
        row += [status.artifacts.run_id, status.artifacts.commit_id]
    return row


def _details(training: Training) -> None:
    """What a table of one line cannot hold: why, what to do, and each step."""
    status = training.status
    for text in (status.message, status.hint):
        if text:
            render.out(f"\n{text}" if text is status.message else f"  hint: {text}")
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
    from odahu_argo.trainings.read import now

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
