"""`odahu-argo bulk apply|delete FILE`: connections, toolchains and trainings of one file together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import KubeContext, Namespace, ProfileFile, cluster, read_manifests
from odahu_argo.cli.resource import ResourceKind, for_each, objects_of

if TYPE_CHECKING:
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.plan.model import Plan
    from odahu_argo.profile import Profile
    from odahu_argo.submit.cluster import Cluster, Object

app = typer.Typer(help="Connections, toolchains and trainings of one file together.", no_args_is_help=True)

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
def apply_command(
    file: File,
    output: Output = BulkForm.TEXT,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Create what the file holds, or bring it up to date: connections, then toolchains, then trainings, which run anew.

    All manifests are checked before the first is written. It does not wait for trainings.

    Example: odahu-argo bulk apply resources.yaml
    """
    from odahu_argo.trainings.planning import plan_on

    manifests = _sound(file)
    connected, settings = cluster(profile, namespace, context)
    plans = plan_on(connected, manifests, settings) if manifests.trainings else []
    objects = _checked_objects(connected, manifests)
    _check_workflows(connected, plans)
    tasks = [Task(kind.kind, kind.id(each), partial(kind.apply, connected, each)) for kind, each in objects]
    tasks += [Task(TRAINING, plan.training_id, partial(_submit, connected, settings, plan)) for plan in plans]
    _carry_out(tasks, output)


@app.command("delete")
def delete_command(
    file: File,
    output: Output = BulkForm.TEXT,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Delete what the file holds: trainings, then toolchains, then connections. What is not there is no error.

    Example: odahu-argo bulk delete resources.yaml
    """
    from odahu_argo.trainings.change import delete

    manifests = _sound(file)
    connected, _ = cluster(profile, namespace, context)

    tasks = [
        Task(TRAINING, each.manifest.id, partial(_remove, partial(delete, connected), each.manifest.id))
        for each in manifests.trainings
    ]
    tasks += [
        Task(kind.kind, each.manifest.id, partial(_remove, partial(kind.delete, connected), each.manifest.id))
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


def _checked_objects(connected: Cluster, manifests: Manifests) -> list[tuple[ResourceKind, Object]]:
    """Each connection and toolchain as the API would take it."""
    from odahu_argo.errors import UserError

    found: list[tuple[ResourceKind, Object]] = []
    problems: list[Problem] = []
    for kind in _kinds():
        objects, mistakes = objects_of(kind, kind.among(manifests))
        problems += mistakes
        found += [(kind, each) for each in objects]
    if problems:
        raise UserError(problems)
    for_each(found, lambda each: each[0].check(connected, each[1]))
    return found


def _check_workflows(connected: Cluster, plans: list[Plan]) -> None:
    from odahu_argo.compile.workflow import compile_workflow
    from odahu_argo.submit.cluster import AlreadyExists
    from odahu_argo.submit.send import check

    for plan in plans:
        try:
            check(connected, compile_workflow(plan))
        except AlreadyExists:
            continue


def _submit(connected: Cluster, settings: Profile, plan: Plan) -> str:
    """Run a training: anew where there is one; the very same one while it goes on is left alone."""
    from odahu_argo.cli.train_plans import preflight
    from odahu_argo.submit.cluster import AlreadyExists
    from odahu_argo.trainings.change import create, edit

    preflight(connected, settings, [plan])
    try:
        return "created" if create(connected, plan).created else "unchanged"
    except AlreadyExists:
        edit(connected, plan)
        return "changed"


def _remove(delete: Callable[[str], object], name: str) -> str:
    from odahu_argo.submit.cluster import NotFound

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
