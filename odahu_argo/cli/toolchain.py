"""`odahu-argo toolchain-integration`: manage toolchains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from odahu_argo.cli import completion, render, resource
from odahu_argo.cli.formats import ChangesFormat, OutputFormat, age, show
from odahu_argo.cli.options import Files, Folders, StrictChecks
from odahu_argo.cli.resource import IgnoreIfExists, IgnoreNotFound, ResourceKind
from odahu_argo.cli.target import Target, backend_options, group_options

app = typer.Typer(
    name="toolchain-integration",
    help="Toolchains on a cluster or an API server. `ti` is an alias.",
    no_args_is_help=True,
)
app.callback()(group_options)

KnownId = Annotated[
    str | None,
    typer.Option("--id", "--ti-id", metavar="ID", autocompletion=completion.toolchains, help="ID of the toolchain."),
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id",
        "--ti-id",
        metavar="ID",
        help="Select a toolchain by ID. With a single toolchain, override its ID.",
    ),
]
COLUMNS = ("ID", "ENTRYPOINT", "IMAGE", "AGE")


@app.command("get")
@backend_options
def get_command(
    target: Target,
    toolchain: KnownId = None,
    output: OutputFormat = None,
) -> None:
    """List the toolchains that trainings can use. Built-in ones have no age.

    Example: odahu-argo ti get --id mlflow -o yaml
    """
    store = target.backend().toolchains
    documents = store.list() if toolchain is None else [store.get(toolchain)]
    show(documents, output, lambda is_wide: _print_table(documents, is_wide))


@app.command("create")
@backend_options
def create_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    ignore_if_exists: IgnoreIfExists = False,
    output: ChangesFormat = "changes",
    strict: StrictChecks = False,
) -> None:
    """Create toolchains. A toolchain with the ID of a built-in one replaces it.

    Example: odahu-argo ti create -f toolchain.yaml
    """
    kind = toolchain_kind()
    manifests = resource.read_valid(kind, file, manifest_dir, new_id, strict=strict)
    resource.create(target.backend(), kind, manifests, ignore_if_exists, output)


@app.command("edit")
@backend_options
def edit_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    output: ChangesFormat = "changes",
    strict: StrictChecks = False,
) -> None:
    """Update existing toolchains. Running trainings are not changed.

    Example: odahu-argo ti edit -f toolchain.yaml
    """
    kind = toolchain_kind()
    manifests = resource.read_valid(kind, file, manifest_dir, new_id, strict=strict)
    resource.edit(target.backend(), kind, manifests, output)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    toolchain: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Delete toolchains. Running trainings are not changed. A built-in toolchain with the ID applies again.

    Example: odahu-argo ti delete --id wine-trainer
    """
    resource.delete(target, toolchain_kind(), toolchain, file, ignore_not_found)


def toolchain_kind() -> ResourceKind:
    """Return how toolchains are selected, validated, stored and printed."""
    return ResourceKind(
        name="toolchain",
        kind="ToolchainIntegration",
        select=lambda manifests: manifests.toolchains,
        validate=lambda manifest: None,
        store=lambda backend: backend.toolchains,
        print_table=_print_table,
    )


def _print_table(documents: Sequence[dict[str, Any]], is_wide: bool) -> None:
    from odahu_argo.trainings.queries import now

    rows = []
    for document in documents:
        spec = document["spec"]
        row = [document["id"], spec["entrypoint"], spec.get("defaultImage", ""), age(document["createdAt"], now())]
        rows.append([*row, ", ".join(spec.get("additionalEnvironments", {}))] if is_wide else row)
    render.table([*COLUMNS, *(["ENVIRONMENT"] if is_wide else [])], rows)
