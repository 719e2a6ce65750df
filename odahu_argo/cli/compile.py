"""`odahu-argo compile` and `odahu-argo plan`. Both work offline and import neither mlflow, kubernetes nor hera."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import (
    ExternalConnections,
    Files,
    Folders,
    StrictChecks,
    TrainingId,
    note_schedules,
    read,
    warn_of_unused,
)
from odahu_argo.cli.target import ProfileFile

if TYPE_CHECKING:
    from odahu_argo.plan.model import Plan


class Format(StrEnum):
    """Output format of `compile`."""

    YAML = "yaml"
    JSON = "json"


class PlanFormat(StrEnum):
    """Output format of `plan`."""

    TEXT = "text"
    MERMAID = "mermaid"
    JSON = "json"


def compile_command(
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: TrainingId = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    output: Annotated[
        Format, typer.Option("--output", "-o", callback=render.set_format, metavar="yaml|json", help="Output format.")
    ] = Format.YAML,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="DIR", help="Write a file per training into this directory."),
    ] = None,
    attempt: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of the run. It ends the name of the workflow.")
    ] = 1,
    validate: Annotated[
        bool, typer.Option("--validate", help="Validate the result against hera's Argo models.")
    ] = False,
) -> None:
    """Write the Argo Workflow of each training. Needs no cluster and no credentials.

    Example: odahu-argo compile -f training.yaml -f connections.yaml | kubectl create -f -
    """
    from odahu_argo.compile import emit
    from odahu_argo.compile.workflow import compile_workflow
    from odahu_argo.parallel import parallel_map
    from odahu_argo.plan.build import plan_trainings
    from odahu_argo.plan.model import schedules_of

    manifests, settings = read(file, manifest_dir, profile, external_connection, strict=strict)
    plans = plan_trainings(manifests, settings, training_id)
    warn_of_unused(manifests)
    note_schedules(schedules_of(plans), "the compiled workflow runs once")
    if validate:
        _require_valid([compile_workflow(plan, attempt) for plan in plans])
    to_text = emit.to_json if output is Format.JSON else emit.to_yaml
    if output_dir is None:
        render.data(to_text(compile_workflow(plan, attempt) for plan in plans))
    else:
        names = [f"{plan.training_id}.{output}" for plan in plans]
        texts = parallel_map(partial(_compile_to_text, attempt=attempt, to_text=to_text), plans)
        _write(dict(zip(names, texts, strict=True)), output_dir)


def plan_command(
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: TrainingId = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    output: Annotated[
        PlanFormat,
        typer.Option("--output", "-o", callback=render.set_format, metavar="text|mermaid|json", help="Output format."),
    ] = PlanFormat.TEXT,
) -> None:
    """Explain what a training will do and draw its DAG. Needs no cluster and no credentials.

    Example: odahu-argo plan -f training.yaml -f connections.yaml
    """
    from odahu_argo.plan.build import plan_trainings
    from odahu_argo.plan.explain import as_data, explain, mermaid

    manifests, settings = read(file, manifest_dir, profile, external_connection, strict=strict)
    plans = plan_trainings(manifests, settings, training_id)
    warn_of_unused(manifests)
    if output is PlanFormat.JSON:
        render.as_json([as_data(plan) for plan in plans])
        return
    if output is PlanFormat.MERMAID:
        render.data("\n".join(mermaid(plan) for plan in plans))
    else:
        render.out("\n".join(explain(plan) for plan in plans))


def _compile_to_text(plan: Plan, attempt: int, to_text: Callable[[list[dict[str, Any]]], str]) -> str:
    from odahu_argo.compile.workflow import compile_workflow

    return to_text([compile_workflow(plan, attempt)])


def _require_valid(workflows: list[dict[str, Any]]) -> None:
    from odahu_argo.compile.schema import schema_errors
    from odahu_argo.errors import UserError

    problems = [problem for workflow in workflows for problem in schema_errors(workflow)]
    if problems:
        raise UserError(problems)


def _write(texts: Mapping[str, str], folder: Path) -> None:
    """Every file whole or not at all: each is written beside its name first."""
    from odahu_argo.errors import Location, Problem, UserError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / name
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
            render.note(f"wrote {path}")
    except OSError as error:
        raise UserError(
            Problem(f"cannot be written: {error.strerror}", Location(error.filename or str(folder)))
        ) from error
