"""`odahu-argo toolchain-integration create|edit|get|delete`: toolchains on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from odahu_argo.cli import completing, render, resource
from odahu_argo.cli.forms import ChangesForm, Form, age, show
from odahu_argo.cli.options import Files, Folders
from odahu_argo.cli.resource import IgnoreIfExists, IgnoreNotFound, ResourceKind
from odahu_argo.cli.target import Target, backend_options, group_options

app = typer.Typer(
    name="toolchain-integration",
    help="Toolchains on a cluster or at an API server, beside those that are built in. `ti` is short for it.",
    no_args_is_help=True,
)
app.callback()(group_options)

KnownId = Annotated[
    str | None,
    typer.Option("--id", "--ti-id", metavar="ID", autocompletion=completing.toolchains, help="Only this toolchain."),
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id",
        "--ti-id",
        metavar="ID",
        help="The toolchain to take; of a single one, the id to give it instead of its own.",
    ),
]
COLUMNS = ("ID", "ENTRYPOINT", "IMAGE", "AGE")


@app.command("get")
@backend_options
def get_command(
    target: Target,
    toolchain: KnownId = None,
    output: Form = None,
) -> None:
    """Show the toolchains that trainings can name: the cluster's, and those built in, which have no age.

    Example: odahu-argo ti get --id mlflow -o yaml
    """
    kept = target.backend().toolchains
    forms = kept.list() if toolchain is None else [kept.get(toolchain)]
    show(forms, output, lambda is_wide: _table(forms, is_wide))


@app.command("create")
@backend_options
def create_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    ignore_if_exists: IgnoreIfExists = False,
    output: ChangesForm = "changes",
) -> None:
    """Create toolchains that are not there yet. One called like a built-in one takes its place.

    Example: odahu-argo ti create -f toolchain.yaml
    """
    kind = toolchain_kind()
    sound = resource.read_sound(kind, file, manifest_dir, new_id)
    resource.create(target.backend(), kind, sound, ignore_if_exists, output)


@app.command("edit")
@backend_options
def edit_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    output: ChangesForm = "changes",
) -> None:
    """Bring toolchains up to date that are there. Trainings that run are not touched.

    Example: odahu-argo ti edit -f toolchain.yaml
    """
    kind = toolchain_kind()
    sound = resource.read_sound(kind, file, manifest_dir, new_id)
    resource.edit(target.backend(), kind, sound, output)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    toolchain: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Delete a toolchain from the cluster. Trainings that run go on; a built-in one of that id counts again.

    Example: odahu-argo ti delete --id wine-trainer
    """
    resource.delete(target, toolchain_kind(), toolchain, file, ignore_not_found)


def toolchain_kind() -> ResourceKind:
    """Toolchains, for the commands that are the same for all that is kept."""
    return ResourceKind(
        word="toolchain",
        kind="ToolchainIntegration",
        among=lambda manifests: manifests.toolchains,
        require_sound=lambda manifest: None,
        kept=lambda reached: reached.toolchains,
        table=_table,
    )


def _table(forms: Sequence[dict[str, Any]], is_wide: bool) -> None:
    from odahu_argo.trainings.queries import now

    rows = []
    for form in forms:
        spec = form["spec"]
        row = [form["id"], spec["entrypoint"], spec.get("defaultImage", ""), age(form["createdAt"], now())]
        rows.append([*row, ", ".join(spec.get("additionalEnvironments", {}))] if is_wide else row)
    render.table([*COLUMNS, *(["ENVIRONMENT"] if is_wide else [])], rows)
