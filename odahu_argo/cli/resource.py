"""What the commands of connections and of toolchains share: each is a manifest that is kept where trainings run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from odahu_argo.cli import render
from odahu_argo.cli.forms import ChangesForm, show
from odahu_argo.cli.options import by_id_or_file, read_manifests
from odahu_argo.cli.target import Target

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend, Resources
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import LoadedManifest, Manifests

T = TypeVar("T")
IgnoreIfExists = Annotated[
    bool, typer.Option("--ignore-if-exists", help="What is there already is no error; it stays as it is.")
]
IgnoreNotFound = Annotated[
    bool, typer.Option("--ignore-not-found/--not-ignore-not-found", help="What is not there is no error.")
]


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of resource: what it is called, where it stands among manifests, where it is kept, and its table.

    `require_sound` finds what of a manifest cannot be kept anywhere; it raises UserError.
    """

    word: str
    kind: str
    among: Callable[[Manifests], tuple[LoadedManifest[Any], ...]]
    require_sound: Callable[[Any], object]
    kept: Callable[[Backend], Resources]
    table: Callable[[Sequence[dict[str, Any]], bool], None]


def read_sound(
    kind: ResourceKind, files: list[Path] | None, folders: list[Path] | None, new_id: str | None = None
) -> list[Any]:
    """The manifests of that kind; a single one is given the new id.

    Raises:
        UserError: with every mistake of every manifest, or because there is none among them.
    """
    from odahu_argo.errors import UserError

    manifests = read_manifests(files, folders)
    sound, problems = sound_of(kind, renamed(kind.word, kind.among(manifests), new_id))
    if problems := [*manifests.problems, *problems]:
        raise UserError(problems)
    if not sound:
        raise UserError(f"there is no {kind.kind} among the manifests", hint=f"one is a document of kind {kind.kind}")
    return sound


def sound_of(kind: ResourceKind, written: Iterable[LoadedManifest[Any]]) -> tuple[list[Any], list[Problem]]:
    """The manifests that can be kept, and what is wrong with the others."""
    from odahu_argo.errors import UserError

    sound: list[Any] = []
    problems: list[Problem] = []
    for each in written:
        try:
            kind.require_sound(each.manifest)
            sound.append(each.manifest)
        except UserError as error:
            problems += [replace(problem, where=each.document.where()) for problem in error.problems]
    return sound, problems


def renamed(word: str, written: tuple[LoadedManifest[Any], ...], new_id: str | None) -> tuple[LoadedManifest[Any], ...]:
    """With another id for the only one, as odahuflowctl did; of several, the one that has that id.

    Raises:
        UserError: the id is none, or none of several has it.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.naming import ID_PATTERN
    from odahu_argo.validation import suggest

    if new_id is None or not written:
        return written
    if not ID_PATTERN.fullmatch(new_id):
        hint = "1 to 63 lowercase letters, digits and '-', a letter or digit at both ends"
        raise UserError(f"--id: {new_id!r} is not a valid id", hint)
    if len(written) > 1:
        chosen = tuple(each for each in written if each.manifest.id == new_id)
        if not chosen:
            hint = suggest(new_id, [each.manifest.id for each in written])
            raise UserError(f"there is no {word} {new_id!r} among the manifests", hint)
        return chosen
    [only] = written
    if only.manifest.id != new_id:
        render.note(f"note: {word} {only.manifest.id} is submitted as {new_id}")
    return (replace(only, manifest=only.manifest.model_copy(update={"id": new_id})),)


def create(reached: Backend, kind: ResourceKind, sound: list[Any], ignore_if_exists: bool, output: ChangesForm) -> None:
    """Create all, none before every one could be."""
    from odahu_argo.errors import AlreadyExists

    kept = kind.kept(reached)

    def create_one(manifest: Any, dry_run: bool) -> bool:
        try:
            kept.create(manifest, dry_run)
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            return False
        return True

    for_each(sound, lambda manifest: create_one(manifest, dry_run=True))
    outcomes = ((each.id, "created" if create_one(each, dry_run=False) else "is there already") for each in sound)
    _tell(kept, kind, outcomes, output)


def edit(reached: Backend, kind: ResourceKind, sound: list[Any], output: ChangesForm) -> None:
    """Bring those up to date that are there."""
    for_each(sound, lambda manifest: kind.kept(reached).check_edit(manifest.id))
    apply(reached, kind, sound, output)


def apply(reached: Backend, kind: ResourceKind, sound: list[Any], output: ChangesForm) -> None:
    """Create all or bring them up to date, none before every one would be taken."""
    kept = kind.kept(reached)
    for_each(sound, kept.check)
    outcomes = ((each.id, kept.apply(each)) for each in sound)
    _tell(kept, kind, ((name, "updated" if o == "changed" else o) for name, o in outcomes), output)


def delete(
    target: Target, kind: ResourceKind, wanted: str | None, files: list[Path] | None, ignore_not_found: bool
) -> None:
    """Delete the one of that id, or those of the manifests; none where one is not there, unless that is no error."""
    from odahu_argo.errors import NotFound

    names = by_id_or_file(kind.word, wanted, files, lambda found: [each.manifest.id for each in kind.among(found)])
    kept = kind.kept(target.backend())
    if not ignore_not_found:
        for name in names:
            kept.check_delete(name)
    for name in names:
        try:
            notes = kept.delete(name)
        except NotFound:
            if not ignore_not_found:
                raise
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


def _tell(kept: Resources, kind: ResourceKind, outcomes: Iterable[tuple[str, str]], output: ChangesForm) -> None:
    """A line for each as it is done; where another form is asked for, the lines are notes and the resources are shown."""
    names = []
    for name, outcome in outcomes:
        names.append(name)
        line = f"{kind.word} {name} {outcome}"
        render.out(line) if output == "changes" else render.note(line)
    if output != "changes":
        forms = [kept.get(name) for name in names]
        show(forms, output, lambda is_wide: kind.table(forms, is_wide))
