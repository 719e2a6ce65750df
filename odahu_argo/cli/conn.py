"""`odahu-argo conn`: manage connections."""

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
    name="conn",
    help="Connections on a cluster (one Secret each) or an API server.",
    no_args_is_help=True,
)
app.callback()(group_options)

KnownId = Annotated[
    str | None,
    typer.Option(
        "--id", "--conn-id", metavar="ID", autocompletion=completion.connections, help="ID of the connection."
    ),
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id",
        "--conn-id",
        metavar="ID",
        help="Select a connection by ID. With a single connection, override its ID.",
    ),
]
COLUMNS = ("ID", "TYPE", "URI", "AGE")
MORE_COLUMNS = ("REGION", "USERNAME", "SECRET FIELDS", "DESCRIPTION")


@app.command("apply")
@backend_options
def apply_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    output: ChangesFormat = "changes",
    strict: StrictChecks = False,
) -> None:
    """Create or update connections. All are checked before the first is written.

    Example: odahu-argo conn apply -f connections.yaml
    """
    kind = connection_kind()
    manifests = resource.read_valid(kind, file, manifest_dir, strict=strict)
    resource.apply(target.backend(), kind, manifests, output)


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
    """Create connections.

    Example: odahu-argo conn create -f connections.yaml
    """
    kind = connection_kind()
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
    """Update existing connections.

    Example: odahu-argo conn edit -f connections.yaml
    """
    kind = connection_kind()
    manifests = resource.read_valid(kind, file, manifest_dir, new_id, strict=strict)
    resource.edit(target.backend(), kind, manifests, output)


@app.command("get")
@backend_options
def get_command(
    target: Target,
    connection: KnownId = None,
    output: OutputFormat = None,
    decrypted: Annotated[bool, typer.Option("--decrypted", "-d", help="Show secret values in plain text.")] = False,
) -> None:
    """List connections. Secret values are masked.

    Example: odahu-argo conn get --id wine-data -o yaml
    """
    backend = target.backend()
    store = backend.connections
    documents = store.list(decrypted) if connection is None else [store.get(connection, decrypted)]
    for document in documents:
        if unknown := document["status"].get("unknownKeys"):
            name = document["status"]["secretName"]
            render.note(f"note: the Secret {name} has keys that are not fields of a connection: {', '.join(unknown)}")

    def table(is_wide: bool) -> None:
        if documents:
            _print_table(documents, is_wide)
        else:
            render.note(f"no connections found ({backend.info.location})")

    show(documents, output, table)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    connection: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Delete connections. The repositories and object stores they refer to are not changed.

    Example: odahu-argo conn delete --id wine-data
    """
    resource.delete(target, connection_kind(), connection, file, ignore_not_found)


def connection_kind() -> ResourceKind:
    """Return how connections are selected, validated, stored and printed."""
    from odahu_argo.resources.connection_secret import connection_to_secret

    return ResourceKind(
        name="connection",
        kind="Connection",
        select=lambda manifests: manifests.connections,
        validate=connection_to_secret,
        store=lambda backend: backend.connections,
        print_table=_print_table,
    )


def _print_table(documents: Sequence[dict[str, Any]], is_wide: bool) -> None:
    render.table([*COLUMNS, *(MORE_COLUMNS if is_wide else ())], [_row(document, is_wide) for document in documents])


def _row(document: dict[str, Any], is_wide: bool) -> list[str]:
    from odahu_argo.manifest.secrets import SECRET_FIELDS
    from odahu_argo.trainings.queries import now

    spec = document["spec"]
    row = [document["id"], spec.get("type", ""), spec.get("uri", ""), age(document["createdAt"], now())]
    if is_wide:
        secret_fields = ", ".join(name for name in SECRET_FIELDS if name in spec)
        row += [spec.get("region", ""), spec.get("username", ""), secret_fields, spec.get("description", "")]
    return row
