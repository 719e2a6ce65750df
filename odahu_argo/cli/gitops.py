"""`odahu-argo render` and `odahu-argo diff`: trainings as files in git, and how these compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, read
from odahu_argo.cli.target import KubeContext, Namespace, ProfileFile

DIFFERENT = 1
Rendered = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder that git holds.")]


def render_command(
    output: Rendered,
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 1 and a diff where the folder is not up to date.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write also over files of ours that somebody has edited.")
    ] = False,
) -> None:
    """Write what git should hold for trainings: a WorkflowTemplate and a Workflow each, schedules, kustomizations.

    Files of trainings that are gone are removed; files that render did not write are never touched.

    Example: odahu-argo render -d manifests/ -o deploy/
    """
    from odahu_argo.gitops.render import compare, difference, rendered, write
    from odahu_argo.plan.build import plan_trainings

    manifests, settings = read(file, manifest_dir, profile, external_connection)
    files = compare(output, rendered(plan_trainings(manifests, settings)))
    if check:
        if stale := difference(output, files):
            render.out(stale)
            render.note(
                f"{output} is not up to date: odahu-argo render, with the same options but --check, makes it so"
            )
            raise typer.Exit(DIFFERENT)
        render.out(f"{output} is up to date")
        return
    for told in write(output, files, overwrite):
        render.note(told)


def diff_command(
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The folder that git holds, to be compared too."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the cluster out.")] = False,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Say in words how the rendered folder and the cluster differ from what the manifests ask for. Changes nothing.

    Ends with 1 where something differs. As render, it takes the profile from a file alone, not from the cluster.

    Example: odahu-argo diff -d manifests/ -o deploy/ -n ml
    """
    from odahu_argo.errors import UserError
    from odahu_argo.gitops.diff import compare, from_cluster, from_folder, from_plans
    from odahu_argo.kube.client import connect
    from odahu_argo.plan.build import plan_trainings

    if offline and output is None:
        raise UserError("nothing to compare with", hint="give the rendered folder by -o DIR, or leave --offline out")
    manifests, settings = read(file, manifest_dir, profile, external_connection)
    wanted = from_plans(plan_trainings(manifests, settings))
    places = [] if output is None else [from_folder(output)]
    if not offline:
        places.append(from_cluster(connect(namespace or settings.namespace, context)))
    told = [line for place in places for line in compare(wanted, place)]
    for line in told:
        render.out(line)
    if told:
        raise typer.Exit(DIFFERENT)
    render.out(f"no difference: {', '.join(wanted)}")
