"""`odahu-argo conn apply|create|edit|get|delete`: connections on a cluster."""

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
    name="conn",
    help="Connections on a cluster, where each is a Secret that pods mount, or at an API server.",
    no_args_is_help=True,
)
app.callback()(group_options)

KnownId = Annotated[
    str | None,
    typer.Option(
        "--id", "--conn-id", metavar="ID", autocompletion=completing.connections, help="Only this connection."
    ),
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id",
        "--conn-id",
        metavar="ID",
        help="The connection to take; of a single one, the id to give it instead of its own.",
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
    output: ChangesForm = "changes",
) -> None:
    """Create connections, or bring them up to date. All are checked before the first is written.

    Example: odahu-argo conn apply -f connections.yaml
    """
    kind = connection_kind()
    sound = resource.read_sound(kind, file, manifest_dir)
    resource.apply(target.backend(), kind, sound, output)


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
    """Create connections that are not there yet.

    Example: odahu-argo conn create -f connections.yaml
    """
    kind = connection_kind()
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
    """Bring connections up to date that are there.

    Example: odahu-argo conn edit -f connections.yaml
    """
    kind = connection_kind()
    sound = resource.read_sound(kind, file, manifest_dir, new_id)
    resource.edit(target.backend(), kind, sound, output)


@app.command("get")
@backend_options
def get_command(
    target: Target,
    connection: KnownId = None,
    output: Form = None,
    decrypted: Annotated[bool, typer.Option("--decrypted", "-d", help="Show secret values, in plain text.")] = False,
) -> None:
    """Show connections. Secret values are masked.

    Example: odahu-argo conn get --id wine-data -o yaml
    """
    reached = target.backend()
    kept = reached.connections
    forms = kept.list(decrypted) if connection is None else [kept.get(connection, decrypted)]
    for form in forms:
        if unknown := form["status"].get("unknownKeys"):
            name = form["status"]["secretName"]
            render.note(f"note: the Secret {name} has keys that are no field of a connection: {', '.join(unknown)}")

    def table(is_wide: bool) -> None:
        if forms:
            _table(forms, is_wide)
        else:
            render.note(f"no connections found ({reached.info.location})")

    show(forms, output, table)


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    connection: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Delete a connection from the cluster. What it leads to is not touched.

    Example: odahu-argo conn delete --id wine-data
    """
    resource.delete(target, connection_kind(), connection, file, ignore_not_found)


def connection_kind() -> ResourceKind:
    """Connections, for the commands that are the same for all that is kept."""
    from odahu_argo.resources.connection_secret import connection_to_secret

    return ResourceKind(
        word="connection",
        kind="Connection",
        among=lambda manifests: manifests.connections,
        require_sound=connection_to_secret,
        kept=lambda reached: reached.connections,
        table=_table,
    )


def _table(forms: Sequence[dict[str, Any]], is_wide: bool) -> None:
    render.table([*COLUMNS, *(MORE_COLUMNS if is_wide else ())], [_row(form, is_wide) for form in forms])


def _row(form: dict[str, Any], is_wide: bool) -> list[str]:
    from odahu_argo.manifest.secrets import SECRET_FIELDS
    from odahu_argo.trainings.queries import now

    spec = form["spec"]
    row = [form["id"], spec.get("type", ""), spec.get("uri", ""), age(form["createdAt"], now())]
    if is_wide:
        held = ", ".join(name for name in SECRET_FIELDS if name in spec)
        row += [spec.get("region", ""), spec.get("username", ""), held, spec.get("description", "")]
    return row
