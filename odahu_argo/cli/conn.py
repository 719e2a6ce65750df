"""`odahu-argo conn apply|create|edit|get|delete`: connections on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import completing, render, resource
from odahu_argo.cli.forms import ChangesForm, Form, age, show
from odahu_argo.cli.options import Files, Folders, KubeContext, Namespace, ProfileFile, cluster
from odahu_argo.cli.resource import IgnoreIfExists, IgnoreNotFound, ResourceKind

if TYPE_CHECKING:
    from odahu_argo.submit.cluster import Cluster, Object

app = typer.Typer(name="conn", help="Connections on a cluster: each is a Secret that pods mount.", no_args_is_help=True)

KnownId = Annotated[
    str | None, typer.Option("--id", "--conn-id", autocompletion=completing.connections, help="Only this connection.")
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id", "--conn-id", help="The connection to take; of a single one, the id to give it instead of its own."
    ),
]
COLUMNS = ("ID", "TYPE", "URI", "AGE")
MORE_COLUMNS = ("REGION", "USERNAME", "SECRET FIELDS", "DESCRIPTION")


@app.command("apply")
def apply_command(
    file: Files = None,
    manifest_dir: Folders = None,
    output: ChangesForm = "changes",
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Create connections, or bring them up to date. All are checked before the first is written.

    Example: odahu-argo conn apply -f connections.yaml
    """
    kind = connection_kind()
    objects = resource.read_objects(kind, file, manifest_dir)
    connected, _ = cluster(profile, namespace, context)
    resource.apply(connected, kind, objects, output)


@app.command("create")
def create_command(
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    ignore_if_exists: IgnoreIfExists = False,
    output: ChangesForm = "changes",
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Create connections that are not there yet.

    Example: odahu-argo conn create -f connections.yaml
    """
    kind = connection_kind()
    objects = resource.read_objects(kind, file, manifest_dir, new_id)
    connected, _ = cluster(profile, namespace, context)
    resource.create(connected, kind, objects, ignore_if_exists, output)


@app.command("edit")
def edit_command(
    file: Files = None,
    manifest_dir: Folders = None,
    new_id: NewId = None,
    output: ChangesForm = "changes",
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Bring connections up to date that are there.

    Example: odahu-argo conn edit -f connections.yaml
    """
    kind = connection_kind()
    objects = resource.read_objects(kind, file, manifest_dir, new_id)
    connected, _ = cluster(profile, namespace, context)
    resource.edit(connected, kind, objects, output)


@app.command("get")
def get_command(
    connection: KnownId = None,
    output: Form = None,
    decrypted: Annotated[bool, typer.Option("--decrypted", "-d", help="Show secret values, in plain text.")] = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Show connections. Secret values are masked.

    Example: odahu-argo conn get --id wine-data -o yaml
    """
    from odahu_argo.submit.connections import find_connection, list_connections
    from odahu_argo.submit.secrets import connection_form, unknown_keys

    connected, _ = cluster(profile, namespace, context)
    secrets = list_connections(connected) if connection is None else [find_connection(connected, connection)]
    for secret in secrets:
        if unknown := unknown_keys(secret):
            name = secret["metadata"]["name"]
            render.note(f"note: the Secret {name} has keys that are no field of a connection: {', '.join(unknown)}")
    forms = [connection_form(secret, decrypted) for secret in secrets]

    def table(is_wide: bool) -> None:
        if forms:
            _table(forms, is_wide)
        else:
            render.note(f"no connections in namespace {connected.namespace}")

    show(forms, output, table)


@app.command("delete")
def delete_command(
    connection: KnownId = None,
    file: Files = None,
    ignore_not_found: IgnoreNotFound = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Delete a connection from the cluster. What it leads to is not touched.

    Example: odahu-argo conn delete --id wine-data
    """
    connected, _ = cluster(profile, namespace, context)
    resource.delete(connected, connection_kind(), connection, file, ignore_not_found)


def connection_kind() -> ResourceKind:
    """Connections, for the commands that are the same for all that is kept on a cluster."""
    from odahu_argo.submit import connections
    from odahu_argo.submit.secrets import connection_form, connection_id, connection_to_secret

    def name(secret: Object) -> str:
        return str(connection_id(secret))

    def delete(connected: Cluster, wanted: str) -> list[str]:
        users = connections.delete(connected, wanted)
        return [f"{', '.join(users)} goes on and names it: steps that mount it will not start"] if users else []

    return ResourceKind(
        word="connection",
        kind="Connection",
        among=lambda manifests: manifests.connections,
        to_object=connection_to_secret,
        id=name,
        check=connections.check,
        require=lambda connected, secret: connections.find_connection(connected, name(secret)),
        create=connections.create,
        apply=connections.apply,
        find=connections.find_connection,
        delete=delete,
        form=lambda connected, wanted: connection_form(connections.find_connection(connected, wanted)),
        table=_table,
    )


def _table(forms: list[dict[str, Any]], is_wide: bool) -> None:
    render.table([*COLUMNS, *(MORE_COLUMNS if is_wide else ())], [_row(form, is_wide) for form in forms])


def _row(form: dict[str, Any], is_wide: bool) -> list[str]:
    from odahu_argo.manifest.plain_connection import SECRET_FIELDS
    from odahu_argo.trainings.read import now

    spec = form["spec"]
    row = [form["id"], spec.get("type", ""), spec.get("uri", ""), age(form["createdAt"], now())]
    if is_wide:
        held = ", ".join(name for name in SECRET_FIELDS if name in spec)
        row += [spec.get("region", ""), spec.get("username", ""), held, spec.get("description", "")]
    return row
