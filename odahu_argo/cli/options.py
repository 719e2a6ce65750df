"""Options that select manifests, and reading the manifests that they select."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odahu_argo.manifest.load import Manifests
    from odahu_argo.profile import Profile

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", "-f", "--manifest-file", metavar="FILE", help="Manifest file, or - for standard input. Repeatable."
    ),
]
Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--manifest-dir",
        "-d",
        metavar="DIR",
        help="Directory whose .yaml, .yml and .json files are read recursively. Repeatable.",
    ),
]
TrainingId = Annotated[
    str | None,
    typer.Option("--id", "--train-id", metavar="ID", help="Select a training by ID."),
]
ExternalConnections = Annotated[
    list[str] | None,
    typer.Option("--external-connection", metavar="NAME", help="Connection that exists on the cluster. Repeatable."),
]


StrictChecks = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Treat warnings about manifests, such as unknown fields, as errors, and so packages that differ from the"
        " environment file of an MLflow project.",
    ),
]


def read(
    files: list[Path] | None,
    folders: list[Path] | None,
    profile: Path | None,
    external: list[str] | None,
    *,
    strict: bool = False,
) -> tuple[Manifests, Profile]:
    """Return the selected manifests and the profile. Documents of other kinds are skipped with a note.

    Raises:
        UserError: No manifest is selected, or the profile cannot be used. Problems of manifests stay with the manifests.
    """
    from odahu_argo.profile import load_profile

    require_manifests(files, folders)
    settings = load_profile(profile).with_external(tuple(external or ()))
    return read_manifests(files, folders, strict=strict), settings


def note_schedules(schedules: Iterable[tuple[str, str]], instead: str) -> None:
    """Print a note for each training whose schedule the command ignores. `instead` is what it does."""
    for training_id, schedule in schedules:
        hint = "odahu-argo render writes a CronWorkflow"
        render.note(f"note: training {training_id} has the schedule {schedule}: {instead}; {hint}")


def warn_of_unused(manifests: Manifests) -> None:
    """Print a warning for each manifest with problems. Call this once the selected trainings have none."""
    from odahu_argo.manifest.relevance import unused_problems

    for problem in unused_problems(manifests):
        render.warning(problem)


def amount(option: str, text: str | None, check: Callable[[str], str]) -> str | None:
    """Return the quantity of an option, or None if the option is not given.

    Raises:
        UserError: `check` rejects it with ValueError.
    """
    from odahu_argo.errors import UserError

    try:
        return None if text is None else check(text)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from error


def require_manifests(files: list[Path] | None, folders: list[Path] | None) -> None:
    """Raise UserError if no manifest is selected."""
    from odahu_argo.errors import UserError

    if not files and not folders:
        raise UserError("no manifest selected", "pass -f FILE (- for standard input) or -d DIR")


def by_id_or_file(
    kind: str, resource_id: str | None, files: list[Path] | None, ids_of: Callable[[Manifests], Iterable[str]]
) -> list[str]:
    """Return the ID of `--id`, or the IDs that `ids_of` finds in the manifests of `-f`.

    Raises:
        UserError: Neither or both are given; the manifests have problems or contain no resource of the kind.
    """
    from odahu_argo.errors import UserError

    if bool(resource_id) == bool(files):
        problem = f"both --id and -f select a {kind}" if files else f"no {kind} selected"
        raise UserError(problem, hint="pass either --id ID or -f FILE")
    if resource_id:
        return [resource_id]
    manifests = read_manifests(files, None)
    ids = list(ids_of(manifests))
    if manifests.problems:
        raise UserError(manifests.problems)
    if not ids:
        raise UserError(f"the manifests contain no {kind}", hint="pass --id ID")
    return ids


def read_manifests(
    files: list[Path] | None, folders: list[Path] | None, *, any_id: bool = False, strict: bool = False
) -> Manifests:
    """Return the selected manifests. Documents of other kinds are skipped with a note. With `strict`, warnings are problems.

    With `any_id`, trainings may have IDs that are no Kubernetes names.

    Raises:
        UserError: No manifest is selected. Problems of manifests stay with the manifests.
    """
    from odahu_argo.manifest.load import load_with_problems, with_warnings_as_problems

    require_manifests(files, folders)
    manifests = load_with_problems([*(files or ()), *(folders or ())], any_id)
    if strict:
        manifests = with_warnings_as_problems(manifests)
    for warning in manifests.warnings:
        render.warning(warning)
    for skipped in manifests.skipped:
        kind = skipped.value.get("kind") if isinstance(skipped.value, dict) else None
        render.note(f"note: {skipped.location()}: {f'{kind} is' if kind else 'not a manifest,'} skipped")
    return manifests
