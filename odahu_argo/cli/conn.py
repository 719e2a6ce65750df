"""`odahu-argo conn apply|create|edit|get|delete`: connections on a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odahu_argo.cli import render
from odahu_argo.cli.forms import Form, age, show
from odahu_argo.cli.options import (
    Files,
    Folders,
    KubeContext,
    Namespace,
    ProfileFile,
    by_id_or_file,
    cluster,
    read_manifests,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from odahu_argo.errors import Problem
    from odahu_argo.manifest.load import Manifests
    from odahu_argo.submit.cluster import Cluster, Object

app = typer.Typer(name="conn", help="Connections on a cluster: each is a Secret that pods mount.", no_args_is_help=True)

ConnectionId = Annotated[str | None, typer.Option("--id", "--conn-id", help="Only this connection.")]
COLUMNS = ("ID", "TYPE", "URI", "AGE")
MORE_COLUMNS = ("REGION", "USERNAME", "SECRET FIELDS", "DESCRIPTION")


@app.command("apply")
def apply_command(
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Create connections, or bring them up to date. All are checked before the first is written.

    Example: odahu-argo conn apply -f connections.yaml
    """
    secrets = _secrets(file, manifest_dir)
    connected, _ = cluster(profile, namespace, context)
    _apply(connected, secrets)


@app.command("create")
def create_command(
    file: Files = None,
    manifest_dir: Folders = None,
    ignore_if_exists: Annotated[
        bool,
        typer.Option("--ignore-if-exists", help="A connection that is there already is no error; it stays as it is."),
    ] = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Create connections that are not there yet.

    Example: odahu-argo conn create -f connections.yaml
    """
    from odahu_argo.submit.cluster import AlreadyExists
    from odahu_argo.submit.connections import create

    secrets = _secrets(file, manifest_dir)
    connected, _ = cluster(profile, namespace, context)

    def create_one(secret: Object, dry_run: bool) -> bool:
        try:
            create(connected, secret, dry_run)
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            return False
        return True

    _for_each(secrets, lambda secret: create_one(secret, dry_run=True))
    for secret in secrets:
        render.out(f"connection {_id(secret)} {'created' if create_one(secret, dry_run=False) else 'is there already'}")


@app.command("edit")
def edit_command(
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Bring connections up to date that are there.

    Example: odahu-argo conn edit -f connections.yaml
    """
    from odahu_argo.submit.connections import find_connection

    secrets = _secrets(file, manifest_dir)
    connected, _ = cluster(profile, namespace, context)
    _for_each(secrets, lambda secret: find_connection(connected, _id(secret)))
    _apply(connected, secrets)


@app.command("get")
def get_command(
    connection: ConnectionId = None,
    output: Form = None,
    decrypted: Annotated[bool, typer.Option("--decrypted", help="Show secret values, in plain text.")] = False,
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
        if not forms:
            render.note(f"no connections in namespace {connected.namespace}")
            return
        render.table([*COLUMNS, *(MORE_COLUMNS if is_wide else ())], [_row(form, is_wide) for form in forms])

    show(forms, output, table)


@app.command("delete")
def delete_command(
    connection: ConnectionId = None,
    file: Files = None,
    ignore_not_found: Annotated[
        bool,
        typer.Option("--ignore-not-found/--not-ignore-not-found", help="A connection that is not there is no error."),
    ] = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Delete a connection from the cluster. What it leads to is not touched.

    Example: odahu-argo conn delete --id wine-data
    """
    from odahu_argo.submit.cluster import NotFound
    from odahu_argo.submit.connections import delete, find_connection

    names = by_id_or_file("connection", connection, file, _ids)
    connected, _ = cluster(profile, namespace, context)
    if not ignore_not_found:
        for name in names:
            find_connection(connected, name)
    for name in names:
        try:
            users = delete(connected, name)
        except NotFound:
            render.out(f"there is no connection {name}")
            continue
        render.out(f"connection {name} deleted")
        if users:
            render.note(f"note: {', '.join(users)} goes on and names it: steps that mount it will not start")


def _ids(manifests: Manifests) -> list[str]:
    return [each.manifest.id for each in manifests.connections]


def _secrets(files: list[Path] | None, folders: list[Path] | None) -> list[Object]:
    """The Secret of each connection among the manifests.

    Raises:
        UserError: with every mistake of every manifest, or because there is no connection among them.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.submit.secrets import connection_to_secret

    manifests = read_manifests(files, folders)
    problems, secrets = list(manifests.problems), []
    for written in manifests.connections:
        try:
            secrets.append(connection_to_secret(written.manifest))
        except UserError as error:
            problems += [replace(problem, where=written.document.where()) for problem in error.problems]
    if problems:
        raise UserError(problems)
    if not secrets:
        raise UserError(
            "there is no Connection among the manifests", hint="a connection is a document of kind Connection"
        )
    return secrets


def _apply(connected: Cluster, secrets: list[Object]) -> None:
    from odahu_argo.submit.connections import apply, check

    _for_each(secrets, lambda secret: check(connected, secret))
    for secret in secrets:
        outcome = apply(connected, secret)
        render.out(f"connection {_id(secret)} {'updated' if outcome == 'changed' else outcome}")


def _for_each(secrets: list[Object], check: Callable[[Object], object]) -> None:
    """Check all.

    Raises:
        UserError: with what is wrong with each.
    """
    from odahu_argo.errors import UserError

    problems: list[Problem] = []
    for secret in secrets:
        try:
            check(secret)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)


def _id(secret: Object) -> str:
    from odahu_argo.submit.secrets import connection_id

    return str(connection_id(secret))


def _row(form: dict[str, Any], is_wide: bool) -> list[str]:
    from odahu_argo.manifest.plain_connection import SECRET_FIELDS
    from odahu_argo.trainings.read import now

    spec = form["spec"]
    row = [form["id"], spec.get("type", ""), spec.get("uri", ""), age(form["createdAt"], now())]
    if is_wide:
        held = ", ".join(name for name in SECRET_FIELDS if name in spec)
        row += [spec.get("region", ""), spec.get("username", ""), held, spec.get("description", "")]
    return row
