"""Options that several commands share, and the plans that they lead to."""

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
    typer.Option("--id", "--train-id", metavar="ID", help="The training to take, where the manifests hold several."),
]
ExternalConnections = Annotated[
    list[str] | None,
    typer.Option("--external-connection", metavar="NAME", help="A connection that lives on the cluster. Repeatable."),
]


def read(
    files: list[Path] | None, folders: list[Path] | None, profile: Path | None, external: list[str] | None
) -> tuple[Manifests, Profile]:
    """The manifests and the profile that the options name. Documents of other kinds are passed over with a note.

    Raises:
        UserError: nothing is named, or the profile cannot be used. Problems of manifests stay with the manifests.
    """
    from odahu_argo.profile import load_profile

    require_manifests(files, folders)
    settings = load_profile(profile).with_external(tuple(external or ()))
    return read_manifests(files, folders), settings


def tell_schedules(schedules: Iterable[tuple[str, str]], instead: str) -> None:
    """Note which trainings ask for a schedule, each by id and in words, where a command does not keep it."""
    for training_id, schedule in schedules:
        hint = "odahu-argo render writes its CronWorkflow"
        render.note(f"note: training {training_id} asks for the schedule {schedule}: {instead}; {hint}")


def require_manifests(files: list[Path] | None, folders: list[Path] | None) -> None:
    """See that some manifest is named.

    Raises:
        UserError: none is.
    """
    from odahu_argo.errors import UserError

    if not files and not folders:
        raise UserError("no manifest is named", "name a file by -f FILE (- is standard input) or a folder by -d DIR")


def by_id_or_file(
    what: str, given: str | None, files: list[Path] | None, found: Callable[[Manifests], Iterable[str]]
) -> list[str]:
    """The id that `--id` gives, or those that `found` takes out of the manifests of `-f`.

    Raises:
        UserError: neither is given, or both are; the manifests have mistakes, or hold none.
    """
    from odahu_argo.errors import UserError

    if bool(given) == bool(files):
        raise UserError(f"which {what}?", hint="name it either by --id or by a manifest, -f FILE")
    if given:
        return [given]
    manifests = read_manifests(files, None)
    names = list(found(manifests))
    if manifests.problems:
        raise UserError(manifests.problems)
    if not names:
        raise UserError(f"there is no {what} among the manifests", hint="name it by --id")
    return names


def read_manifests(files: list[Path] | None, folders: list[Path] | None) -> Manifests:
    """The manifests that the options name. Documents of other kinds are passed over with a note.

    Raises:
        UserError: nothing is named. Problems of manifests stay with the manifests.
    """
    from odahu_argo.manifest.load import gather

    require_manifests(files, folders)
    manifests = gather([*(files or ()), *(folders or ())])
    for warning in manifests.warnings:
        render.warning(warning)
    for skipped in manifests.skipped:
        kind = skipped.value.get("kind") if isinstance(skipped.value, dict) else None
        render.note(f"note: {skipped.where()}: {f'a {kind}' if kind else 'no manifest, it'} is passed over")
    return manifests
