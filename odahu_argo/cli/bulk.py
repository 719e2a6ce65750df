"""`odahu-argo bulk apply|delete FILE`: all manifests of a file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import StrictChecks, read_manifests
from odahu_argo.cli.resource import ResourceKind, check_all, validate_all
from odahu_argo.cli.target import Target, backend_options, group_options

if TYPE_CHECKING:
    from odahu_argo.backends.base import Submission
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import Manifests

app = typer.Typer(help="Connections, toolchains and trainings of one file.", no_args_is_help=True)
app.callback()(group_options)

TRAINING = "ModelTraining"
OUTCOMES = ("created", "changed", "unchanged", "removed")
"""In odahuflowctl's order. odahuflowctl counts unchanged resources as changed."""


class BulkFormat(StrEnum):
    """Output format."""

    TEXT = "text"
    CHANGES = "changes"
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


File = Annotated[
    Path, typer.Argument(metavar="FILE", help="File or directory with the manifests, or - for standard input.")
]
Output = Annotated[
    BulkFormat,
    typer.Option(
        "--output",
        "-o",
        callback=render.set_format,
        metavar="text|changes|table|json|yaml",
        help="Output format: the sentence of odahuflowctl, a line per change, or data.",
    ),
]


@dataclass(frozen=True, slots=True)
class Task:
    """An operation on one resource. `do` returns the outcome."""

    kind: str
    id: str
    do: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Change:
    """The outcome for one resource."""

    kind: str
    id: str
    outcome: str


@app.command("apply")
@backend_options
def apply_command(
    target: Target,
    file: File,
    output: Output = BulkFormat.TEXT,
    strict: StrictChecks = False,
) -> None:
    """Create or update the resources in a file: connections, toolchains, then trainings, which run again.

    All manifests are checked before the first is written. The command does not wait for trainings.

    Example: odahu-argo bulk apply resources.yaml
    """
    manifests = _read(file, strict)
    resources = _validate(manifests)
    backend = target.backend()
    submission = backend.trainings.prepare(manifests) if manifests.trainings else None
    check_all(resources, lambda resource: resource[0].store(backend).check(resource[1]))
    if submission:
        submission.check()
    tasks = [Task(kind.kind, item.id, partial(kind.store(backend).apply, item)) for kind, item in resources]
    tasks += [Task(TRAINING, name, partial(_submit, submission, name)) for name in submission.ids] if submission else []
    _run_tasks(tasks, output)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    file: File,
    output: Output = BulkFormat.TEXT,
) -> None:
    """Delete the resources in a file: trainings, toolchains, then connections. Missing resources are ignored.

    Example: odahu-argo bulk delete resources.yaml
    """
    manifests = _read(file)
    backend = target.backend()
    tasks = [
        Task(TRAINING, item.manifest.id, partial(_remove, backend.trainings.delete, item.manifest.id))
        for item in manifests.trainings
    ]
    tasks += [
        Task(kind.kind, item.manifest.id, partial(_remove, kind.store(backend).delete, item.manifest.id))
        for kind in reversed(_kinds())
        for item in kind.select(manifests)
    ]
    _run_tasks(tasks, output)


def _read(file: Path, strict: bool = False) -> Manifests:
    """Return the manifests in the file.

    Raises:
        UserError: They have problems (it contains all), or the file contains none.
    """
    from odahu_argo.errors import UserError

    manifests = read_manifests([file], None, strict=strict)
    if manifests.problems:
        raise UserError(manifests.problems)
    if not (manifests.trainings or manifests.connections or manifests.toolchains):
        raise UserError(f"{file} contains no ModelTraining, Connection or ToolchainIntegration")
    return manifests


def _kinds() -> list[ResourceKind]:
    """Return the kinds in the order of their dependencies."""
    from odahu_argo.cli.conn import connection_kind
    from odahu_argo.cli.toolchain import toolchain_kind

    return [connection_kind(), toolchain_kind()]


def _validate(manifests: Manifests) -> list[tuple[ResourceKind, Any]]:
    """Return the connections and toolchains, each with its kind.

    Raises:
        UserError: A manifest is invalid; it contains all problems.
    """
    from odahu_argo.errors import UserError

    resources: list[tuple[ResourceKind, Any]] = []
    problems: list[Problem] = []
    for kind in _kinds():
        valid, kind_problems = validate_all(kind, kind.select(manifests))
        problems += kind_problems
        resources += [(kind, manifest) for manifest in valid]
    if problems:
        raise UserError(problems)
    return resources


def _submit(submission: Submission, training_id: str) -> str:
    """Submit a training, again if it exists. An unchanged training that is running is left alone."""
    from odahu_argo.cli.submission import preflight
    from odahu_argo.errors import AlreadyExists

    preflight(submission, [training_id])
    try:
        return "created" if submission.create(training_id).is_new else "unchanged"
    except AlreadyExists:
        submission.edit(training_id)
        return "changed"


def _remove(delete: Callable[[str], object], name: str) -> str:
    from odahu_argo.errors import NotFound

    try:
        delete(name)
    except NotFound:
        return "not found"
    return "removed"


def _run_tasks(tasks: list[Task], output: BulkFormat) -> None:
    """Run all tasks, also after one fails, and print the outcomes.

    Raises:
        UserError, ServiceFault: A task failed; raised after all tasks have run.
    """
    from odahu_argo.errors import OdahuArgoError, ServiceFault

    changes: list[Change] = []
    errors: list[OdahuArgoError] = []
    print_line = render.out if output is BulkFormat.CHANGES else render.note
    for task in tasks:
        try:
            changes.append(Change(task.kind, task.id, task.do()))
            print_line(f"{task.kind} {task.id} {changes[-1].outcome}")
        except OdahuArgoError as error:
            errors.append(error)
    _show(changes, output)
    if errors:
        worst = next((error for error in errors if isinstance(error, ServiceFault)), errors[0])
        raise type(worst)([problem for error in errors for problem in error.problems])


def _show(changes: list[Change], output: BulkFormat) -> None:
    data = [asdict(change) for change in changes]
    if output is BulkFormat.TEXT:
        render.out(", ".join(["Operation completed", *_counted(changes)]))
    elif output is BulkFormat.TABLE:
        render.table(["KIND", "ID", "OUTCOME"], [list(row.values()) for row in data])
    elif output is BulkFormat.JSON:
        render.as_json(data)
    elif output is BulkFormat.YAML:
        import yaml

        render.data(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _counted(changes: list[Change]) -> Iterator[str]:
    for outcome in OUTCOMES:
        names = [f"{change.kind} {change.id}" for change in changes if change.outcome == outcome]
        if names:
            yield f"{outcome} resources: {len(names)} ({', '.join(names)})"
