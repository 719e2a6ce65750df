"""`odahu-argo local`: trainings on this machine, without a server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, ProfileFile, TrainingId, read

if TYPE_CHECKING:
    from odahu_argo.local.home import Home
    from odahu_argo.local.records import Training
    from odahu_argo.manifest.resolve import ResolvedTraining
    from odahu_argo.plan.model import Plan

EXIT_INTERRUPTED = 130
_PACKAGES = ("boto3", "filelock", "mlflow", "psutil")

app = typer.Typer(help="Train on this machine, without a cluster or server.", no_args_is_help=True)
train = typer.Typer(help="Run trainings here, and look at those that were.", no_args_is_help=True)
app.add_typer(train, name="train")


class RunForm(StrEnum):
    """How `run` tells its result."""

    TEXT = "text"
    JSON = "json"


class ListForm(StrEnum):
    """How `list` shows trainings."""

    TABLE = "table"
    JSON = "json"


class Form(StrEnum):
    """How `get` shows a training."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


KnownId = Annotated[str, typer.Option("--id", "--train-id", help="The id of a training that was run here.")]


@app.callback()
def _group() -> None:
    pass


@train.command("run")
def run_command(
    training_id: TrainingId = None,
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", help="A folder for the trained model; it wins over the output connection."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the earlier run: steps that succeeded are not run again.")
    ] = False,
    output: Annotated[RunForm, typer.Option("--output", "-o", help="The form of the result.")] = RunForm.TEXT,
) -> None:
    """Run a training's steps as processes of this machine, with MLflow in a local SQLite store.

    Ends with 0 when it succeeded, 4 when it failed, 2 when it could not begin, 130 when it was interrupted.

    Example: odahu-argo local train run --id wine -d manifests/
    """
    from odahu_argo.cli.progress import show
    from odahu_argo.local.home import Home
    from odahu_argo.local.run import run
    from odahu_argo.local.summary import for_the_cluster

    _require_packages()
    resolved, plan = _plan(training_id, file, manifest_dir, profile, external_connection)
    home = Home.from_environment()
    render.note(for_the_cluster(plan))
    try:
        with _signals_interrupt(), show([step.name for step in plan.steps]) as listener:
            ended = run(plan, resolved.connections, home, output_dir=output_dir, resume=resume, listener=listener)
    except KeyboardInterrupt:
        render.note(f"interrupted; training {plan.training_id!r} is recorded as failed, --resume goes on with it")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _report(ended, home, output)


@train.command("list")
def list_command(
    output: Annotated[ListForm, typer.Option("--output", "-o", help="The form of the list.")] = ListForm.TABLE,
) -> None:
    """Show the trainings of this machine, the newest first.

    Example: odahu-argo local train list
    """
    from odahu_argo.local.home import Home
    from odahu_argo.local.lock import read_trainings
    from odahu_argo.local.odahu_form import odahu_form

    _require_packages()
    home = Home.from_environment()
    trainings = read_trainings(home)
    if output is ListForm.JSON:
        render.as_json([odahu_form(training, home) for training in trainings])
    else:
        _table(trainings)


@train.command("get")
def get_command(
    training_id: KnownId,
    output: Annotated[Form, typer.Option("--output", "-o", help="The form of what is shown.")] = Form.TABLE,
) -> None:
    """Show one training: its state, the reason of a failure, its artifacts.

    Example: odahu-argo local train get --id wine -o yaml
    """
    from odahu_argo.local.home import Home
    from odahu_argo.local.lock import read_training
    from odahu_argo.local.odahu_form import odahu_form

    _require_packages()
    home = Home.from_environment()
    training = read_training(home, training_id)
    if output is Form.JSON:
        render.as_json(odahu_form(training, home))
    elif output is Form.YAML:
        import yaml

        render.out(yaml.safe_dump(odahu_form(training, home), sort_keys=False, allow_unicode=True))
    else:
        _table([training])
        render.table(["STEP", "STATE", "MESSAGE"], [[s.name, s.state, _first_line(s.message)] for s in training.steps])


@train.command("logs")
def logs_command(
    training_id: KnownId,
    step: Annotated[
        str | None, typer.Option("--step", help="Only this step, without its name before each line.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--not-follow", help="Wait for more until the training ends.")
    ] = False,
) -> None:
    """Print what the steps of a training have printed.

    Example: odahu-argo local train logs --id wine --step train
    """
    from odahu_argo.local.home import Home
    from odahu_argo.local.logs import read_logs

    _require_packages()
    for name, line in read_logs(Home.from_environment(), training_id, step, follow):
        render.out(line if step else f"{name} | {line}")


@train.command("cleanup")
def cleanup_command(
    training_id: Annotated[str | None, typer.Option("--id", "--train-id", help="Only this training.")] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Only those unchanged for 90s, 30m, 12h, 7d..."),
    ] = None,
) -> None:
    """Remove workspaces, logs and records of trainings that are not running. Trained models and MLflow's data stay.

    Example: odahu-argo local train cleanup --older-than 7d
    """
    from odahu_argo.local import cleanup
    from odahu_argo.local.home import Home

    _require_packages()
    home = Home.from_environment()
    removed = [
        cleanup.remove(home, training.id)
        for training in cleanup.removable(home, training_id, _seconds(older_than) if older_than else None)
    ]
    for each in removed:
        render.out(f"removed {each.id}: {each.size} bytes")
    render.out(f"{len(removed)} removed, {sum(each.size for each in removed)} bytes freed")


def _require_packages() -> None:
    from odahu_argo.errors import UserError

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"training on this machine needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[runner]'",
        )


def _plan(
    training_id: str | None,
    files: list[Path] | None,
    folders: list[Path] | None,
    profile: Path | None,
    external: list[str] | None,
) -> tuple[ResolvedTraining, Plan]:
    from odahu_argo.errors import UserError
    from odahu_argo.manifest.resolve import resolve
    from odahu_argo.plan.build import build_plans

    manifests, settings = read(files, folders, profile, external)
    ids = [written.manifest.id for written in manifests.trainings]
    if training_id is None and len(ids) > 1:
        raise UserError(f"the given files hold {len(ids)} trainings", hint=f"choose one by --id: {', '.join(ids)}")
    [resolved] = resolve(manifests, settings, training_id)
    [plan] = build_plans([resolved], settings)
    return resolved, plan


def _report(training: Training, home: Home, output: RunForm) -> None:
    from odahu_argo.errors import TrainingFailed
    from odahu_argo.local.odahu_form import odahu_form
    from odahu_argo.local.summary import failure, summary

    if output is RunForm.JSON:
        render.as_json(odahu_form(training, home))
    else:
        render.out(summary(training, home))
    if training.state != "succeeded":
        raise TrainingFailed(failure(training, home))


def _table(trainings: list[Training]) -> None:
    columns = ["ID", "MODEL", "VERSION", "STATE", "UPDATED", "ARTIFACT", "REASON"]
    rows = [
        [t.id, t.model_name, t.model_version, t.state, t.updated[:19], t.artifact_name, _first_line(t.reason)]
        for t in trainings
    ]
    render.table(columns, rows)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _seconds(duration: str) -> int:
    from odahu_argo import quantity
    from odahu_argo.errors import UserError

    try:
        return quantity.seconds(duration)
    except ValueError as error:
        raise UserError(f"--older-than: {error}") from error


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, so that no process of the training is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
