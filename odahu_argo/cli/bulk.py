"""`odahu-argo bulk apply|delete FILE`: connections, toolchains and trainings of one file together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import read_manifests
from odahu_argo.cli.resource import ResourceKind, for_each, sound_of
from odahu_argo.cli.target import Target, backend_options, group_options

if TYPE_CHECKING:
    from odahu_argo.backends.base import Submission
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import Manifests

app = typer.Typer(help="Connections, toolchains and trainings of one file together.", no_args_is_help=True)
app.callback()(group_options)

TRAINING = "ModelTraining"
OUTCOMES = ("created", "changed", "unchanged", "removed")
"""In the order in which odahuflowctl told them; it counted what had not changed as changed."""


class BulkForm(StrEnum):
    """How the changes are told."""

    TEXT = "text"
    CHANGES = "changes"
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


File = Annotated[Path, typer.Argument(metavar="FILE", help="The file or folder with the manifests, or -.")]
Output = Annotated[
    BulkForm,
    typer.Option(
        "--output",
        "-o",
        callback=render.in_form,
        help="odahuflowctl's sentence, a line for each change, or the changes as data.",
    ),
]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with one resource, which gives the outcome; `kind` is ODAHU's name of it."""

    kind: str
    id: str
    do: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one resource."""

    kind: str
    id: str
    outcome: str


@app.command("apply")
@backend_options
def apply_command(
    target: Target,
    file: File,
    output: Output = BulkForm.TEXT,
) -> None:
    """Create what the file holds, or bring it up to date: connections, then toolchains, then trainings, which run anew.

    All manifests are checked before the first is written. It does not wait for trainings.

    Example: odahu-argo bulk apply resources.yaml
    """
    manifests = _sound(file)
    sound = _sound_of_kinds(manifests)
    reached = target.backend()
    submission = reached.trainings.prepare(manifests) if manifests.trainings else None
    for_each(sound, lambda each: each[0].kept(reached).check(each[1]))
    if submission:
        submission.check()
    tasks = [Task(kind.kind, each.id, partial(kind.kept(reached).apply, each)) for kind, each in sound]
    tasks += [Task(TRAINING, name, partial(_submit, submission, name)) for name in submission.ids] if submission else []
    _carry_out(tasks, output)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    file: File,
    output: Output = BulkForm.TEXT,
) -> None:
    """Delete what the file holds: trainings, then toolchains, then connections. What is not there is no error.

    Example: odahu-argo bulk delete resources.yaml
    """
    manifests = _sound(file)
    reached = target.backend()
    tasks = [
        Task(TRAINING, each.manifest.id, partial(_remove, reached.trainings.delete, each.manifest.id))
        for each in manifests.trainings
    ]
    tasks += [
        Task(kind.kind, each.manifest.id, partial(_remove, kind.kept(reached).delete, each.manifest.id))
        for kind in reversed(_kinds())
        for each in kind.among(manifests)
    ]
    _carry_out(tasks, output)


def _sound(file: Path) -> Manifests:
    """The manifests.

    Raises:
        UserError: with every mistake in them, or because there are none.
    """
    from odahu_argo.errors import UserError

    manifests = read_manifests([file], None)
    if manifests.problems:
        raise UserError(manifests.problems)
    if not (manifests.trainings or manifests.connections or manifests.toolchains):
        raise UserError(f"{file} holds no ModelTraining, Connection or ToolchainIntegration")
    return manifests


def _kinds() -> list[ResourceKind]:
    """In the order in which one may need the other."""
    from odahu_argo.cli.conn import connection_kind
    from odahu_argo.cli.toolchain import toolchain_kind

    return [connection_kind(), toolchain_kind()]


def _sound_of_kinds(manifests: Manifests) -> list[tuple[ResourceKind, Any]]:
    """Each connection and toolchain with its kind.

    Raises:
        UserError: with what keeps any of them from being kept.
    """
    from odahu_argo.errors import UserError

    found: list[tuple[ResourceKind, Any]] = []
    problems: list[Problem] = []
    for kind in _kinds():
        sound, mistakes = sound_of(kind, kind.among(manifests))
        problems += mistakes
        found += [(kind, each) for each in sound]
    if problems:
        raise UserError(problems)
    return found


def _submit(submission: Submission, training_id: str) -> str:
    """Run a training: anew where there is one; the very same one while it goes on is left alone."""
    from odahu_argo.cli.train_plans import preflight
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
        return "not there"
    return "removed"


def _carry_out(tasks: list[Task], output: BulkForm) -> None:
    """Do one after the other, go on after one that fails, and tell what was done.

    Raises:
        UserError, ServiceFault: with what has failed, after all else was done and told.
    """
    from odahu_argo.errors import OdahuArgoError, ServiceFault

    changes: list[Change] = []
    errors: list[OdahuArgoError] = []
    tell = render.out if output is BulkForm.CHANGES else render.note
    for task in tasks:
        try:
            changes.append(Change(task.kind, task.id, task.do()))
            tell(f"{task.kind} {task.id} {changes[-1].outcome}")
        except OdahuArgoError as error:
            errors.append(error)
    _show(changes, output)
    if errors:
        worst = next((error for error in errors if isinstance(error, ServiceFault)), errors[0])
        raise type(worst)([problem for error in errors for problem in error.problems])


def _show(changes: list[Change], output: BulkForm) -> None:
    data = [asdict(each) for each in changes]
    if output is BulkForm.TEXT:
        render.out(", ".join(["Operation completed", *_counted(changes)]))
    elif output is BulkForm.TABLE:
        render.table(["KIND", "ID", "OUTCOME"], [list(each.values()) for each in data])
    elif output is BulkForm.JSON:
        render.as_json(data)
    elif output is BulkForm.YAML:
        import yaml

        render.out(yaml.safe_dump(data, sort_keys=False))


def _counted(changes: list[Change]) -> Iterator[str]:
    for outcome in OUTCOMES:
        if found := [f"{each.kind} {each.id}" for each in changes if each.outcome == outcome]:
            yield f"{outcome} resources: {len(found)} ({', '.join(found)})"
