"""`odahu-argo local train run`."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import (
    ExternalConnections,
    Files,
    Folders,
    StrictChecks,
    TrainingId,
    note_schedules,
    read_manifests,
    warn_of_unused,
)
from odahu_argo.cli.target import ProfileFile, Target, TokenFile, saved_path

if TYPE_CHECKING:
    from odahu_argo.local.events import StepEvent
    from odahu_argo.local.home import Home
    from odahu_argo.local.planning import LocalPlan
    from odahu_argo.local.store import LocalTraining
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.plan.model import Plan
    from odahu_argo.profile import Profile


class EnvironmentManager(StrEnum):
    """Values of the profile's `environment_manager`."""

    AUTO = "auto"
    LOCAL = "local"
    UV = "uv"
    VIRTUALENV = "virtualenv"
    CONDA = "conda"


class RunFormat(StrEnum):
    """Output format."""

    TEXT = "text"
    JSON = "json"


ServerUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="API server with the training, if the files do not contain it. Defaults to the saved one.",
    ),
]


def run_command(
    ctx: typer.Context,
    training_id: TrainingId = None,
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    model_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            "--output",
            envvar="LOCAL_MODEL_OUTPUT_DIR",
            metavar="DIR",
            callback=saved_path("LOCAL_MODEL_OUTPUT_DIR"),
            help="Directory for the trained model. Takes precedence over the output connection.",
        ),
    ] = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here",
            help="Train the working copy in the current directory instead of a clone, with uncommitted changes and the data"
            " that is there. Always on if the training has no source.",
        ),
    ] = False,
    environment_manager: Annotated[
        EnvironmentManager | None,
        typer.Option(
            "--environment-manager",
            metavar="auto|local|uv|virtualenv|conda",
            help="Selects the packages of an MLflow project, instead of the profile's environment_manager: local uses the"
            " installed ones, and auto builds an environment if they differ from the environment file.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the previous run. Steps that succeeded are not repeated.")
    ] = False,
    output: Annotated[
        RunFormat,
        typer.Option("--output-format", "-o", callback=render.set_format, metavar="text|json", help="Output format."),
    ] = RunFormat.TEXT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print logs; see `local train logs`.")] = False,
    url: ServerUrl = None,
    token_file: TokenFile = None,
) -> None:
    """Run a training on this machine. Steps are local processes, and MLflow stores runs in a local SQLite file.

    Exits with 0 if the training succeeded, 4 if it failed, 2 if it could not start, 130 if it was interrupted.

    Example: odahu-argo local train run --id wine -d manifests/
    """
    from odahu_argo.cli.progress import show
    from odahu_argo.local.engine import run
    from odahu_argo.local.home import Home, require_local_training
    from odahu_argo.local.signals import EXIT_INTERRUPTED, Interrupted, termination_signals
    from odahu_argo.local.summary import ignored_settings
    from odahu_argo.profile import load_profile

    require_local_training()
    manifests = _read(Target(ctx), training_id, file, manifest_dir, strict)
    settings = load_profile(profile).with_external(tuple(external_connection or ()))
    if environment_manager is not None:
        settings = settings.model_copy(update={"environment_manager": environment_manager.value})
    local = _plan(manifests, settings, training_id, here, model_dir is not None)
    plan, home = local.plan, Home.from_environment()
    if local.directory is not None:
        render.note(f"note: training {plan.training_id} in place, in {local.directory}")
    render.note(ignored_settings(plan))
    shown = nullcontext(_say_nothing) if quiet else show([step.name for step in plan.steps])
    try:
        with termination_signals() as signals, shown as listener:
            ended = run(
                plan,
                local.connections,
                home,
                output_dir=model_dir,
                directory=local.directory,
                resume=resume,
                listener=listener,
                signals=signals,
            )
    except Interrupted as interrupted:
        render.note(str(interrupted))
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _report(ended, home, plan, output)


def _say_nothing(event: StepEvent) -> None:
    pass


def _read(
    target: Target, training_id: str | None, files: list[Path] | None, folders: list[Path] | None, strict: bool
) -> Manifests:
    """Return the manifests in the files. A training or toolchain that they do not contain comes from the API server."""
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.manifest.relevance import may_contain

    server = target.known_server() if training_id else None
    is_only_at_server = server is not None and not files and not folders
    manifests = Manifests() if is_only_at_server else read_manifests(files, folders, any_id=True, strict=strict)
    if server is None or training_id is None or may_contain(manifests, training_id):
        return manifests
    from odahu_argo.backends.remote_manifests import with_training_of_server

    return with_training_of_server(manifests, training_id, server)


def _plan(
    manifests: Manifests, settings: Profile, training_id: str | None, here: bool, has_output_dir: bool
) -> LocalPlan:
    from odahu_argo.local.planning import plan_local
    from odahu_argo.naming import as_id
    from odahu_argo.plan.model import schedules_of

    selected = as_id(training_id) or training_id if training_id else None
    local = plan_local(manifests, settings, selected, Path.cwd(), here, has_output_dir)
    warn_of_unused(manifests)
    for warning in local.warnings:
        render.warning(warning)
    note_schedules(schedules_of([local.plan]), "it runs once, now")
    return local


def _report(training: LocalTraining, home: Home, plan: Plan, output: RunFormat) -> None:
    from odahu_argo.backends.local import to_training
    from odahu_argo.errors import TrainingFailed
    from odahu_argo.local.summary import failure_problem, run_summary
    from odahu_argo.odahu_api import training_to_api

    if output is RunFormat.JSON:
        render.as_json(training_to_api(to_training(training, home)))
    else:
        render.out(run_summary(training, home, plan))
    if training.state != "succeeded":
        raise TrainingFailed(failure_problem(training, home))
