"""`odahu-argo local`: trainings on this machine, without a server."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import completing, render
from odahu_argo.cli.local_run import run_command
from odahu_argo.cli.target import saved_path
from odahu_argo.local.home import require_local_training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odahu_argo.backends.local import LocalBackend
    from odahu_argo.trainings.model import Training

app = typer.Typer(help="Train on this machine, without a cluster or server.", no_args_is_help=True)
train = typer.Typer(help="Run trainings here, and look at those that were.", no_args_is_help=True)
train.command("run")(run_command)
app.add_typer(train, name="train")
app.add_typer(train, name="training", hidden=True)


class ListForm(StrEnum):
    """How `list` shows trainings."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"


class Form(StrEnum):
    """How `get` shows a training."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


KnownId = Annotated[
    str,
    typer.Option(
        "--id",
        "--train-id",
        metavar="ID",
        autocompletion=completing.local_trainings,
        help="The id of a training that was run here.",
    ),
]


@app.callback()
def _group() -> None:
    pass


@train.command("list")
def list_command(
    output: Annotated[
        ListForm,
        typer.Option(
            "--output",
            "-o",
            "--output-format",
            callback=render.in_form,
            help="The form of the list; text is odahuflowctl's.",
        ),
    ] = ListForm.TABLE,
) -> None:
    """Show the trainings of this machine, the newest first.

    Example: odahu-argo local train list
    """
    from odahu_argo.odahu_api import training_to_api
    from odahu_argo.web.model import newest_first

    trainings = newest_first(_backend().trainings.list())
    if output is ListForm.JSON:
        render.as_json([training_to_api(training) for training in trainings])
    elif output is ListForm.TEXT:
        _artifacts(trainings)
    else:
        _table(trainings)


@train.command("get")
def get_command(
    training_id: KnownId,
    output: Annotated[
        Form,
        typer.Option("--output", "-o", "--output-format", callback=render.in_form, help="The form of what is shown."),
    ] = Form.TABLE,
) -> None:
    """Show one training: its state, the reason of a failure, its artifacts.

    Example: odahu-argo local train get --id wine -o yaml
    """
    from odahu_argo.odahu_api import training_to_api

    training = _backend().trainings.get(training_id)
    if output is Form.JSON:
        render.as_json(training_to_api(training))
    elif output is Form.YAML:
        import yaml

        render.out(yaml.safe_dump(training_to_api(training), sort_keys=False, allow_unicode=True))
    else:
        _table([training])
        render.out("")
        render.table(["STEP", "STATE", "MESSAGE"], [[s.name, s.state, _first_line(s.message)] for s in training.steps])


@train.command("logs")
def logs_command(
    training_id: KnownId,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="Only this step, without its name before each line.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--not-follow", help="Wait for more until the training ends.")
    ] = False,
) -> None:
    """Print what the steps of a training have printed.

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
            "--id", "--train-id", metavar="ID", autocompletion=completing.local_trainings, help="Only this training."
        ),
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every training that is not running.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Only those unchanged for 90s, 30m, 12h, 7d..."),
    ] = None,
) -> None:
    """Remove workspaces, logs and records of trainings that are not running. Trained models and MLflow's data stay.

    Example: odahu-argo local train cleanup --older-than 7d
    """
    from odahu_argo.errors import UserError
    from odahu_argo.local import manage
    from odahu_argo.local.home import Home

    require_local_training()
    if not (training_id or older_than or all_of_them):
        raise UserError("which trainings?", hint="name one by --id, or give --older-than DURATION or --all")
    home = Home.from_environment()
    removed = []
    for training in manage.select_removable(home, training_id, _seconds(older_than) if older_than else None):
        removed.append(manage.remove(home, training.id))
        render.out(f"removed {training.id}: {removed[-1].size} bytes")
    render.out(f"{len(removed)} removed, {sum(each.size for each in removed)} bytes freed")


@train.command("cleanup-artifacts")
def cleanup_artifacts_command(
    model_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            metavar="DIR",
            callback=saved_path("LOCAL_MODEL_OUTPUT_DIR"),
            help="Output directory of trainings; their models are removed too.",
        ),
    ] = None,
) -> None:
    """Remove all trained models from this machine: those of local trainings. What connections lead to is not touched.

    Example: odahu-argo local train cleanup-artifacts
    """
    from odahu_argo.local.home import Home
    from odahu_argo.local.manage import remove_artifacts

    require_local_training()
    removed = remove_artifacts(Home.from_environment(), model_dir)
    for each in removed:
        render.out(f"removed {each.id}: {each.size} bytes")
    render.out(f"{len(removed)} removed, {sum(each.size for each in removed)} bytes freed")


@train.command("cleanup-containers")
def cleanup_containers_command() -> None:
    """Say that there are no containers: local trainings are processes of this machine.

    Example: odahu-argo local train cleanup-containers
    """
    render.note(
        "note: there are no containers to remove: local trainings are processes, and none is left when one ends"
    )


def _backend() -> LocalBackend:
    """Return the backend of this machine, if the packages that it needs are installed."""
    from odahu_argo.backends.local import LocalBackend
    from odahu_argo.local.home import Home

    require_local_training()
    return LocalBackend(Home.from_environment())


def _artifacts(trainings: Sequence[Training]) -> None:
    """As odahuflowctl listed them: the trained models that lie on this machine."""
    from odahu_argo.local.manage import local_artifact

    names = sorted(
        training.status.artifacts.artifact_name
        for training in trainings
        if training.newest.local and local_artifact(training.newest.local.artifact_uri)
    )
    render.out("\n".join(["Training artifacts:", *(f"* {name}" for name in names)]) if names else "Artifacts not found")


def _table(trainings: Sequence[Training]) -> None:
    render.table(["ID", "MODEL", "VERSION", "STATE", "UPDATED", "ARTIFACT", "REASON"], [_row(one) for one in trainings])


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
