"""`odahu-argo toolchain-integration create|edit|get|delete`: toolchains on a cluster."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from odahu_argo.cli import completing, render, resource
from odahu_argo.cli.forms import ChangesForm, Form, age, show
from odahu_argo.cli.options import Files, Folders, KubeContext, Namespace, ProfileFile
from odahu_argo.cli.resource import IgnoreIfExists, IgnoreNotFound, ResourceKind
from odahu_argo.cli.site import TokenFile, Url, server_options, site

app = typer.Typer(
    name="toolchain-integration",
    help="Toolchains on a cluster or at an API server, beside those that are built in. `ti` is short for it.",
    no_args_is_help=True,
)
app.callback()(server_options)

KnownId = Annotated[
    str | None, typer.Option("--id", "--ti-id", autocompletion=completing.toolchains, help="Only this toolchain.")
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id", "--ti-id", help="The toolchain to take; of a single one, the id to give it instead of its own."
    ),
]
COLUMNS = ("ID", "ENTRYPOINT", "IMAGE", "AGE")


@app.command("get")
def get_command(
    ctx: typer.Context,
    toolchain: KnownId = None,
    output: Form = None,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show the toolchains that trainings can name: the cluster's, and those built in, which have no age.

    Example: odahu-argo ti get --id mlflow -o yaml
    """
    kept = site(ctx).toolchains
    forms = kept.all() if toolchain is None else [kept.get(toolchain)]
    show(forms, output, lambda is_wide: _table(forms, is_wide))


@app.command("create")
def create_command(
    ctx: typer.Context,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    ignore_if_exists: IgnoreIfExists = False,
    output: ChangesForm = "changes",
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Create toolchains that are not there yet. One called like a built-in one takes its place.

    Example: odahu-argo ti create -f toolchain.yaml
    """
    kind = toolchain_kind()
    sound = resource.read_sound(kind, file, manifest_dir, new_id)
    resource.create(site(ctx), kind, sound, ignore_if_exists, output)


@app.command("edit")
def edit_command(
    ctx: typer.Context,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    output: ChangesForm = "changes",
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Bring toolchains up to date that are there. Trainings that run are not touched.

    Example: odahu-argo ti edit -f toolchain.yaml
    """
    kind = toolchain_kind()
    sound = resource.read_sound(kind, file, manifest_dir, new_id)
    resource.edit(site(ctx), kind, sound, output)


@app.command("delete")
def delete_command(
    ctx: typer.Context,
    toolchain: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Delete a toolchain from the cluster. Trainings that run go on; a built-in one of that id counts again.

    Example: odahu-argo ti delete --id wine-trainer
    """
    resource.delete(ctx, toolchain_kind(), toolchain, file, ignore_not_found)


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


def _table(forms: list[dict[str, Any]], is_wide: bool) -> None:
    from odahu_argo.trainings.queries import now

    rows = []
    for form in forms:
        spec = form["spec"]
        row = [form["id"], spec["entrypoint"], spec.get("defaultImage", ""), age(form["createdAt"], now())]
        rows.append([*row, ", ".join(spec.get("additionalEnvironments", {}))] if is_wide else row)
    render.table([*COLUMNS, *(["ENVIRONMENT"] if is_wide else [])], rows)
