"""What the commands of connections and of toolchains share: each is a manifest that is kept on the cluster as an object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from odahu_argo.cli import render
from odahu_argo.cli.forms import ChangesForm, show
from odahu_argo.cli.options import by_id_or_file, read_manifests

if TYPE_CHECKING:
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import Manifests, Written
    from odahu_argo.submit.applying import Outcome
    from odahu_argo.submit.cluster import Cluster, Object

T = TypeVar("T")
IgnoreIfExists = Annotated[
    bool, typer.Option("--ignore-if-exists", help="What is there already is no error; it stays as it is.")
]
IgnoreNotFound = Annotated[
    bool, typer.Option("--ignore-not-found/--not-ignore-not-found", help="What is not there is no error.")
]


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of resource: what it is called, where it stands among manifests, and what can be done with it on a cluster.

    `require` sees that one is there to be edited, `delete` gives what else is to be told. All raise the errors of `submit`.
    """

    word: str
    kind: str
    among: Callable[[Manifests], tuple[Written[Any], ...]]
    to_object: Callable[[Any], Object]
    id: Callable[[Object], str]
    check: Callable[[Cluster, Object], object]
    require: Callable[[Cluster, Object], object]
    create: Callable[[Cluster, Object, bool], None]
    apply: Callable[[Cluster, Object], Outcome]
    find: Callable[[Cluster, str], Object]
    delete: Callable[[Cluster, str], Iterable[str]]
    form: Callable[[Cluster, str], dict[str, Any]]
    table: Callable[[list[dict[str, Any]], bool], None]


def read_objects(
    kind: ResourceKind, files: list[Path] | None, folders: list[Path] | None, new_id: str | None = None
) -> list[Object]:
    """The object of each manifest of that kind; a single one is given the new id.

    Raises:
        UserError: with every mistake of every manifest, or because there is none among them.
    """
    from odahu_argo.errors import UserError

    manifests = read_manifests(files, folders)
    objects, problems = objects_of(kind, renamed(kind.word, kind.among(manifests), new_id))
    if problems := [*manifests.problems, *problems]:
        raise UserError(problems)
    if not objects:
        raise UserError(f"there is no {kind.kind} among the manifests", hint=f"one is a document of kind {kind.kind}")
    return objects


def objects_of(kind: ResourceKind, written: Iterable[Written[Any]]) -> tuple[list[Object], list[Problem]]:
    """The objects, and what keeps the others from being one."""
    from odahu_argo.errors import UserError

    objects: list[Object] = []
    problems: list[Problem] = []
    for each in written:
        try:
            objects.append(kind.to_object(each.manifest))
        except UserError as error:
            problems += [replace(problem, where=each.document.where()) for problem in error.problems]
    return objects, problems


def renamed(word: str, written: tuple[Written[Any], ...], new_id: str | None) -> tuple[Written[Any], ...]:
    """With another id for the only one, as odahuflowctl did; of several, the one that has that id.

    Raises:
        UserError: the id is none, or none of several has it.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.naming import ID_PATTERN
    from odahu_argo.validation import nearest

    if new_id is None or not written:
        return written
    if not ID_PATTERN.fullmatch(new_id):
        hint = "1 to 63 lowercase letters, digits and '-', a letter or digit at both ends"
        raise UserError(f"--id: {new_id!r} is not a valid id", hint)
    if len(written) > 1:
        chosen = tuple(each for each in written if each.manifest.id == new_id)
        if not chosen:
            hint = nearest(new_id, [each.manifest.id for each in written])
            raise UserError(f"there is no {word} {new_id!r} among the manifests", hint)
        return chosen
    [only] = written
    if only.manifest.id != new_id:
        render.note(f"note: {word} {only.manifest.id} is submitted as {new_id}")
    return (replace(only, manifest=only.manifest.model_copy(update={"id": new_id})),)


def create(
    connected: Cluster, kind: ResourceKind, objects: list[Object], ignore_if_exists: bool, output: ChangesForm
) -> None:
    """Create all, none before the API would take every one."""
    from odahu_argo.submit.cluster import AlreadyExists

    def create_one(found: Object, dry_run: bool) -> bool:
        try:
            kind.create(connected, found, dry_run)
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            return False
        return True

    for_each(objects, lambda found: create_one(found, dry_run=True))
    outcomes = ((each, "created" if create_one(each, dry_run=False) else "is there already") for each in objects)
    _tell(connected, kind, outcomes, output)


def edit(connected: Cluster, kind: ResourceKind, objects: list[Object], output: ChangesForm) -> None:
    """Bring those up to date that are there."""
    for_each(objects, lambda found: kind.require(connected, found))
    apply(connected, kind, objects, output)


def apply(connected: Cluster, kind: ResourceKind, objects: list[Object], output: ChangesForm) -> None:
    """Create all or bring them up to date, none before the API would take every one."""
    for_each(objects, lambda found: kind.check(connected, found))
    outcomes = ((each, kind.apply(connected, each)) for each in objects)
    _tell(connected, kind, ((each, "updated" if o == "changed" else o) for each, o in outcomes), output)


def delete(
    connected: Cluster, kind: ResourceKind, given: str | None, files: list[Path] | None, ignore_not_found: bool
) -> None:
    """Delete the one of that id, or those of the manifests; none where one is not there, unless that is no error."""
    from odahu_argo.submit.cluster import NotFound

    names = by_id_or_file(kind.word, given, files, lambda found: [each.manifest.id for each in kind.among(found)])
    if not ignore_not_found:
        for name in names:
            kind.find(connected, name)
    for name in names:
        try:
            notes = kind.delete(connected, name)
        except NotFound:
            render.out(f"there is no {kind.word} {name}")
            continue
        render.out(f"{kind.word} {name} deleted")
        for each in notes:
            render.note(f"note: {each}")


def for_each(objects: list[T], check: Callable[[T], object]) -> None:
    """Check all.

    Raises:
        UserError: with what is wrong with each.
    """
    from odahu_argo.errors import UserError

    problems: list[Problem] = []
    for each in objects:
        try:
            check(each)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)


def _tell(connected: Cluster, kind: ResourceKind, outcomes: Iterable[tuple[Object, str]], output: ChangesForm) -> None:
    """A line for each as it is done; where another form is asked for, the lines are notes and the resources are shown."""
    names = []
    for each, outcome in outcomes:
        names.append(kind.id(each))
        line = f"{kind.word} {names[-1]} {outcome}"
        render.out(line) if output == "changes" else render.note(line)
    if output != "changes":
        forms = [kind.form(connected, name) for name in names]
        show(forms, output, lambda is_wide: kind.table(forms, is_wide))
