"""`odahu-argo migrate`: export an ODAHU installation as files for Git."""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import KubeContext, Namespace, NoUrl, ProfileFile, Target, Token, TokenFile

if TYPE_CHECKING:
    from odahu_argo.migration.export import Export
    from odahu_argo.migration.tree import Tree


class Secrets(StrEnum):
    """What happens to secret values of connections."""

    OMIT = "omit"
    APPLY = "apply"
    EXTERNAL = "external"
    FILES = "files"


def migrate_command(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Directory for the files.")],
    from_api: Annotated[
        str | None, typer.Option("--from-api", metavar="URL", help="URL of ODAHU's API server.")
    ] = None,
    from_cluster: Annotated[
        str | None,
        typer.Option("--from-cluster", metavar="CONTEXT", help="Kubeconfig context of the cluster with ODAHU."),
    ] = None,
    secrets: Annotated[
        Secrets,
        typer.Option(
            metavar="omit|apply|external|files",
            help="Secret values of connections: leave them out, create Secrets in the namespace of --namespace and "
            "--context, write ExternalSecrets for the profile's secret store, or write them into files.",
        ),
    ] = Secrets.OMIT,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a directory that is not empty.")] = False,
    token: Token = None,
    token_file: TokenFile = None,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    no_url: NoUrl = None,
) -> None:
    """Export trainings, toolchains and connections of an ODAHU installation as files for Git, with a report.

    Other kinds (packaging, deployments, routes) are exported unchanged. ODAHU is not changed.

    Example: odahu-argo migrate --from-api https://odahu.example.org --token-file token -o odahu/
    """
    from odahu_argo.errors import Problem, UserError
    from odahu_argo.migration.report import REPORT, write_report
    from odahu_argo.migration.tree import build_tree
    from odahu_argo.profile import load_profile

    if bool(from_api) == bool(from_cluster):
        raise UserError("pass either --from-api or --from-cluster", hint="--from-api URL, or --from-cluster CONTEXT")
    if output.exists() and (not output.is_dir() or any(output.iterdir())) and not overwrite:
        raise UserError(f"{output} exists and is not an empty directory", hint="pass another -o DIR, or --overwrite")
    settings = load_profile(profile)
    if secrets is Secrets.EXTERNAL and not settings.external_secrets.store:
        raise UserError(
            "--secrets external requires a secret store",
            hint="set external_secrets.store in the profile, and pass --profile",
        )
    export = _export(Target(ctx), from_api, from_cluster, with_secrets=secrets in (Secrets.APPLY, Secrets.FILES))
    tree = build_tree(export, settings, secrets.value)
    if secrets is Secrets.APPLY:
        _apply(Target(ctx), tree)
    if secrets is Secrets.FILES:
        render.warning(Problem(f"{output / 'connections'} contains secret values", hint="do not commit these files"))
    _write(output, {**tree.files, REPORT: write_report(export, tree, secrets.value)}, tree.secret_files)
    counts = Counter(resource.kind for resource in export.resources)
    render.out(f"exported {', '.join(f'{count} {kind}' for kind, count in counts.items()) or 'nothing'} to {output}")
    if tree.decisions:
        render.note(f"{len(tree.decisions)} entries need a decision; see {output / REPORT}")


def _export(target: Target, url: str | None, context: str | None, with_secrets: bool) -> Export:
    from odahu_argo.kube.client import connect
    from odahu_argo.migration.export import export_api, export_cluster

    if url:
        return export_api(target.api_server(url), with_secrets)
    return export_cluster(connect(None, context), context or "")


def _apply(target: Target, tree: Tree) -> None:
    """Create the Secrets of the connections in the target namespace, after a dry run of all of them."""
    from odahu_argo.errors import Problem, UserError
    from odahu_argo.resources import connections
    from odahu_argo.resources.connection_secret import connection_to_secret

    cluster, _ = target.cluster()
    secrets = []
    for connection in tree.connections:
        try:
            secrets.append(connection_to_secret(connection))
        except UserError as error:
            for problem in error.problems:
                render.warning(Problem(f"connection {connection.id}: {problem.message}", hint=problem.hint))
    for secret in secrets:
        connections.validate(cluster, secret)
    for secret in secrets:
        outcome = connections.apply(cluster, secret)
        render.note(f"Secret {secret['metadata']['name']} {outcome} in namespace {cluster.namespace}")


def _write(directory: Path, files: dict[str, str], secret_files: frozenset[str]) -> None:
    """Write the files. Only their owner can read those with secret values."""
    from odahu_argo.errors import Location, Problem, UserError

    try:
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o600 if name in secret_files else 0o644
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        location = Location(str(error.filename or directory))
        raise UserError(Problem(f"cannot be written: {error.strerror}", location)) from error
