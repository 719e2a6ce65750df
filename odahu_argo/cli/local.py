"""`odahu-argo local`: trainings on this machine."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import completion, render
from odahu_argo.cli.local_run import run_command
from odahu_argo.cli.target import group_options, saved_path
from odahu_argo.local.home import require_local_training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odahu_argo.backends.local import LocalBackend
    from odahu_argo.trainings.model import Training

app = typer.Typer(help="Run trainings on this machine, without a cluster or server.", no_args_is_help=True)
train = typer.Typer(help="Run and manage local trainings.", no_args_is_help=True)
train.callback()(group_options)
train.command("run")(run_command)
app.add_typer(train, name="train")
app.add_typer(train, name="training", hidden=True)


class ListFormat(StrEnum):
    """Output format of `list`."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"


class TrainingFormat(StrEnum):
    """Output format of `get`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


KnownId = Annotated[
    str,
    typer.Option(
        "--id",
        "--train-id",
        metavar="ID",
        autocompletion=completion.local_trainings,
        help="ID of the local training.",
    ),
]


@app.callback()
def _group() -> None:
    pass


@train.command("list")
def list_command(
    output: Annotated[
        ListFormat,
        typer.Option(
            "--output",
            "-o",
            "--output-format",
            callback=render.set_format,
            metavar="table|text|json",
            help="Output format; text lists the models in the output directory, as odahuflowctl does.",
        ),
    ] = ListFormat.TABLE,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Show only the N newest trainings.")
    ] = None,
) -> None:
    """List the local trainings, newest first.

    Example: odahu-argo local train list
    """
    from odahu_argo.odahu_api import training_to_api
    from odahu_argo.trainings.selection import PageRequest, TrainingFilter

    if output is ListFormat.TEXT:
        _print_artifacts()
        return
    request = PageRequest(1, limit or sys.maxsize, is_newest_first=True, is_summary=output is ListFormat.TABLE)
    page = _backend().trainings.page(TrainingFilter(), request)
    if output is ListFormat.JSON:
        render.as_json([training_to_api(training) for training in page.trainings])
    else:
        _print_table(page.trainings)


@train.command("get")
def get_command(
    training_id: KnownId,
    output: Annotated[
        TrainingFormat,
        typer.Option(
            "--output",
            "-o",
            "--output-format",
            callback=render.set_format,
            metavar="table|json|yaml",
            help="Output format.",
        ),
    ] = TrainingFormat.TABLE,
) -> None:
    """Show the state, steps and artifacts of a training.

    Example: odahu-argo local train get --id wine -o yaml
    """
    from odahu_argo.odahu_api import training_to_api

    training = _backend().trainings.get(training_id)
    if output is TrainingFormat.JSON:
        render.as_json(training_to_api(training))
    elif output is TrainingFormat.YAML:
        import yaml

        render.data(yaml.safe_dump(training_to_api(training), sort_keys=False, allow_unicode=True))
    else:
        _print_table([training])
        render.out("")
        render.table(["STEP", "STATE", "MESSAGE"], [[s.name, s.state, _first_line(s.message)] for s in training.steps])


@train.command("logs")
def logs_command(
    training_id: KnownId,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="Print only this step, without its name as a prefix.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--not-follow", help="Continue until the training ends.")] = False,
) -> None:
    """Print the logs of a training.

    Example: odahu-argo local train logs --id wine --step train
    """
    from odahu_argo.trainings.events import LogLine

    for event in _backend().trainings.logs(training_id, step, follow):
        prefix = f"{event.step} | " if isinstance(event, LogLine) and not step else ""
        if not render.out(f"{prefix}{event.text}"):
            return


@train.command("cleanup")
def cleanup_command(
    training_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            "--train-id",
            metavar="ID",
            autocompletion=completion.local_trainings,
            help="Remove only this training.",
        ),
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Remove all trainings that are not running.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="DURATION", help="Remove trainings that have not changed for 90s, 30m, 12h, 7d…"
        ),
    ] = None,
) -> None:
    """Remove trainings that are not running: workspaces, logs and records. Trained models and MLflow data are kept.

    Example: odahu-argo local train cleanup --older-than 7d
    """
    from odahu_argo.errors import UserError
    from odahu_argo.local import manage
    from odahu_argo.local.home import Home

    require_local_training()
    if not (training_id or older_than or all_of_them):
        raise UserError("no training selected", hint="pass --id, --older-than or --all")
    home = Home.from_environment()
    removed = []
    for training in manage.select_removable(home, training_id, _seconds(older_than) if older_than else None):
        removed.append(manage.remove(home, training.id))
        render.out(f"removed {training.id}: {removed[-1].size} bytes")
    render.out(f"{len(removed)} removed, {sum(training.size for training in removed)} bytes freed")


@train.command("cleanup-artifacts")
def cleanup_artifacts_command(
    model_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            envvar="LOCAL_MODEL_OUTPUT_DIR",
            metavar="DIR",
            callback=saved_path("LOCAL_MODEL_OUTPUT_DIR"),
            help="Output directory of trainings; their models are removed too.",
        ),
    ] = None,
) -> None:
    """Remove the trained models of local trainings from this machine. Object stores are not changed.

    Example: odahu-argo local train cleanup-artifacts
    """
    from odahu_argo.local.artifacts import remove_trained_models
    from odahu_argo.local.home import Home

    require_local_training()
    removed = remove_trained_models(Home.from_environment(), model_dir)
    for artifact in removed:
        render.out(f"removed {artifact.id}: {artifact.size} bytes")
    render.out(f"{len(removed)} removed, {sum(artifact.size for artifact in removed)} bytes freed")


@train.command("cleanup-containers")
def cleanup_containers_command() -> None:
    """Do nothing: local trainings run as processes, not containers. Accepted for odahuflowctl.

    Example: odahu-argo local train cleanup-containers
    """
    render.note("note: no containers to remove; local trainings run as processes")


def _backend() -> LocalBackend:
    """Return the backend of this machine, if the packages that it needs are installed."""
    from odahu_argo.backends.local import LocalBackend
    from odahu_argo.local.home import Home

    require_local_training()
    return LocalBackend(Home.from_environment())


def _print_artifacts() -> None:
    """Print the trained models in the output directory, in the format of odahuflowctl."""
    from odahu_argo.cli.config_file import saved_value
    from odahu_argo.local.artifacts import trained_models
    from odahu_argo.local.home import Home

    saved = os.environ.get("LOCAL_MODEL_OUTPUT_DIR") or saved_value("LOCAL_MODEL_OUTPUT_DIR")
    names = [path.name for path in trained_models(Path(saved) if saved else Home.from_environment().artifacts)]
    render.out("\n".join(["Training artifacts:", *(f"* {name}" for name in names)]) if names else "Artifacts not found")


def _print_table(trainings: Sequence[Training]) -> None:
    render.table(
        ["ID", "MODEL", "VERSION", "STATE", "UPDATED", "ARTIFACT", "REASON"], [_row(training) for training in trainings]
    )


def _row(training: Training) -> list[str]:
    newest, status = training.newest, training.status
    reason = newest.local.reason if newest.local else ""
    artifact = status.artifacts.artifact_name
    updated = training.updated[:19]
    return [training.id, newest.model_name, newest.model_version, status.state, updated, artifact, _first_line(reason)]


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _seconds(duration: str) -> int:
    from odahu_argo import quantity
    from odahu_argo.errors import UserError

    try:
        return quantity.seconds(duration)
    except ValueError as error:
        raise UserError(f"--older-than: {error}") from error
