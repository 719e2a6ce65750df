"""Options that several commands share, and the plans that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odahu_argo.kube.cluster import Cluster
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.profile import Profile

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", "--manifest-file", help="A manifest file, or - for standard input. Repeatable."),
]
Folders = Annotated[
    list[Path] | None,
    typer.Option("--manifest-dir", "-d", help="A folder; every .yaml, .yml and .json below it is read. Repeatable."),
]
TrainingId = Annotated[
    str | None,
    typer.Option("--id", "--train-id", help="The training to take, where the manifests hold several."),
]
ProfileFile = Annotated[
    Path | None,
    typer.Option("--profile", envvar="ODAHU_ARGO_PROFILE", help="Profile, a YAML file (docs/reference/profile.md)."),
]
ExternalConnections = Annotated[
    list[str] | None,
    typer.Option("--external-connection", metavar="NAME", help="A connection that lives on the cluster. Repeatable."),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        envvar="ODAHU_ARGO_NAMESPACE",
        help="Where trainings run; else the profile's namespace, else the kubeconfig's.",
    ),
]
KubeContext = Annotated[
    str | None,
    typer.Option(
        "--context", envvar="ODAHU_ARGO_CONTEXT", help="The kubeconfig's context to use, else its current one."
    ),
]


def cluster(profile: Path | None, namespace: str | None, context: str | None) -> tuple[Cluster, Profile]:
    """The cluster, and the profile with the cluster's namespace in it.

    Without a profile file it is the one that `setup --apply` has left in the namespace, else the defaults.

    Raises:
        UserError: there is no such context, or the profile cannot be read or used.
        Unreachable: the API does not answer.
    """
    from odahu_argo.resources.profile import connect_with_profile

    return connect_with_profile(profile, namespace, context)


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
