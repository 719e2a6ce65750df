"""Operations shared by the commands for connections and toolchains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from odahu_argo.cli import render
from odahu_argo.cli.formats import ChangesFormat, show
from odahu_argo.cli.options import by_id_or_file, read_manifests
from odahu_argo.cli.target import Target

if TYPE_CHECKING:
    from odahu_argo.backends.base import Backend, Resources
    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import LoadedManifest, Manifests

T = TypeVar("T")
IgnoreIfExists = Annotated[bool, typer.Option("--ignore-if-exists", help="Skip resources that exist.")]
IgnoreNotFound = Annotated[
    bool, typer.Option("--ignore-not-found/--not-ignore-not-found", help="Ignore resources that do not exist.")
]


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of resource.

    Attributes:
        name: Name in messages.
        kind: Kind in manifests.
        select: Selects the resources of this kind in manifests.
        validate: Raises UserError if a manifest is invalid, independently of the backend.
        store: Selects the resources of this kind in a backend.
        print_table: Prints documents as a table; its second argument selects the wide one.
    """

    name: str
    kind: str
    select: Callable[[Manifests], tuple[LoadedManifest[Any], ...]]
    validate: Callable[[Any], object]
    store: Callable[[Backend], Resources]
    print_table: Callable[[Sequence[dict[str, Any]], bool], None]


def read_valid(
    kind: ResourceKind,
    files: list[Path] | None,
    folders: list[Path] | None,
    new_id: str | None = None,
    strict: bool = False,
) -> list[Any]:
    """Return the manifests of the kind. A single manifest gets the new ID.

    Raises:
        UserError: A manifest is invalid (it contains all problems), or no manifest of the kind is selected.
    """
    from odahu_argo.errors import UserError

    manifests = read_manifests(files, folders, strict=strict)
    valid, problems = validate_all(kind, select_or_rename(kind.name, kind.select(manifests), new_id))
    if problems := [*manifests.problems, *problems]:
        raise UserError(problems)
    if not valid:
        raise UserError(f"the manifests contain no {kind.kind}", hint=f"add a document with kind: {kind.kind}")
    return valid


def validate_all(kind: ResourceKind, written: Iterable[LoadedManifest[Any]]) -> tuple[list[Any], list[Problem]]:
    """Return the valid manifests, and the problems of the others."""
    from odahu_argo.errors import UserError

    valid: list[Any] = []
    problems: list[Problem] = []
    for resource in written:
        try:
            kind.validate(resource.manifest)
            valid.append(resource.manifest)
        except UserError as error:
            problems += [replace(problem, location=resource.document.location()) for problem in error.problems]
    return valid, problems


def select_or_rename(
    kind_name: str, written: tuple[LoadedManifest[Any], ...], new_id: str | None
) -> tuple[LoadedManifest[Any], ...]:
    """Give a single resource the new ID, or select the one of several with that ID, as odahuflowctl does.

    Raises:
        UserError: The ID is invalid, or no resource has it.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.naming import ID_PATTERN
    from odahu_argo.validation import suggest

    if new_id is None or not written:
        return written
    if not ID_PATTERN.fullmatch(new_id):
        hint = "use 1 to 63 lowercase letters, digits and '-', with a letter or digit at both ends"
        raise UserError(f"--id: {new_id!r} is not a valid ID", hint)
    if len(written) > 1:
        selected = tuple(resource for resource in written if resource.manifest.id == new_id)
        if not selected:
            hint = suggest(new_id, [resource.manifest.id for resource in written])
            raise UserError(f"the manifests contain no {kind_name} {new_id!r}", hint)
        return selected
    [only] = written
    if only.manifest.id != new_id:
        render.note(f"note: {kind_name} {only.manifest.id} is submitted as {new_id}")
    return (replace(only, manifest=only.manifest.model_copy(update={"id": new_id})),)


def create(
    backend: Backend, kind: ResourceKind, manifests: list[Any], ignore_if_exists: bool, output: ChangesFormat
) -> None:
    """Create resources after a dry run of all of them."""
    from odahu_argo.errors import AlreadyExists

    store = kind.store(backend)

    def create_one(manifest: Any, dry_run: bool) -> bool:
        try:
            store.create(manifest, dry_run)
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            return False
        return True

    check_all(manifests, lambda manifest: create_one(manifest, dry_run=True))
    outcomes = (
        (manifest.id, "created" if create_one(manifest, dry_run=False) else "already exists") for manifest in manifests
    )
    _print_outcomes(store, kind, outcomes, output)


def edit(backend: Backend, kind: ResourceKind, manifests: list[Any], output: ChangesFormat) -> None:
    """Update existing resources."""
    check_all(manifests, lambda manifest: kind.store(backend).check_edit(manifest.id))
    apply(backend, kind, manifests, output)


def apply(backend: Backend, kind: ResourceKind, manifests: list[Any], output: ChangesFormat) -> None:
    """Create or update resources after all of them were checked."""
    store = kind.store(backend)
    check_all(manifests, store.check)
    outcomes = ((manifest.id, store.apply(manifest)) for manifest in manifests)
    renamed = ((name, "updated" if outcome == "changed" else outcome) for name, outcome in outcomes)
    _print_outcomes(store, kind, renamed, output)


def delete(
    target: Target, kind: ResourceKind, resource_id: str | None, files: list[Path] | None, ignore_not_found: bool
) -> None:
    """Delete a resource by ID, or those in the manifests. Nothing is deleted if one does not exist and must."""
    from odahu_argo.errors import NotFound

    names = by_id_or_file(
        kind.name, resource_id, files, lambda manifests: [resource.manifest.id for resource in kind.select(manifests)]
    )
    store = kind.store(target.backend())
    if not ignore_not_found:
        for name in names:
            store.check_delete(name)
    for name in names:
        try:
            notes = store.delete(name)
        except NotFound:
            if not ignore_not_found:
                raise
            render.out(f"{kind.name} {name} does not exist")
            continue
        render.out(f"{kind.name} {name} deleted")
        for note in notes:
            render.note(f"note: {note}")


def check_all(items: list[T], check: Callable[[T], object]) -> None:
    """Check all items.

    Raises:
        UserError: A check failed; it contains the problems of all items.
    """
    from odahu_argo.errors import UserError

    problems: list[Problem] = []
    for item in items:
        try:
            check(item)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)


def _print_outcomes(
    store: Resources, kind: ResourceKind, outcomes: Iterable[tuple[str, str]], output: ChangesFormat
) -> None:
    """Print a line per resource as it is done. With another output format, also print the resources."""
    names = []
    for name, outcome in outcomes:
        names.append(name)
        line = f"{kind.name} {name} {outcome}"
        render.out(line) if output == "changes" else render.note(line)
    if output != "changes":
        documents = [store.get(name) for name in names]
        show(documents, output, lambda is_wide: kind.print_table(documents, is_wide))
