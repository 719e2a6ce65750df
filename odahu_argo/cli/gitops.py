"""`odahu-argo render` and `odahu-argo diff`: trainings as files in Git."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, StrictChecks, read, warn_of_unused
from odahu_argo.cli.target import KubeContext, Namespace, ProfileFile

DIFFERENT = 1
Rendered = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Directory in the Git work tree.")]


def render_command(
    output: Rendered,
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing. Print a diff and exit with 1 if the directory is out of date."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also overwrite rendered files that were edited.")
    ] = False,
) -> None:
    """Write trainings as files for Git: WorkflowTemplates, Workflows, CronWorkflows and kustomizations.

    Files of removed trainings are deleted. Files that render did not write are never changed.

    Example: odahu-argo render -d manifests/ -o deploy/
    """
    from odahu_argo.gitops.render import compare_files, render_files, unified_diff, write_files
    from odahu_argo.plan.build import plan_trainings

    manifests, settings = read(file, manifest_dir, profile, external_connection, strict=strict)
    plans = plan_trainings(manifests, settings)
    warn_of_unused(manifests)
    files = compare_files(output, render_files(plans))
    if check:
        if stale := unified_diff(output, files):
            render.data(stale)
            render.note(
                f"{output} is out of date; run odahu-argo render with the same options without --check to update it"
            )
            raise typer.Exit(DIFFERENT)
        render.out(f"{output} is up to date")
        return
    for change in write_files(output, files, overwrite):
        render.note(change)


def diff_command(
    file: Files = None,
    manifest_dir: Folders = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Also compare this rendered directory."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not compare the cluster.")] = False,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Describe how the rendered directory and the cluster differ from the manifests. Changes nothing.

    Exits with 1 if something differs. Like render, it reads the profile from a file only, not from the cluster.

    Example: odahu-argo diff -d manifests/ -o deploy/ -n ml
    """
    from odahu_argo.errors import UserError
    from odahu_argo.gitops.diff import compare_trainings, planned_trainings, read_cluster, read_directory
    from odahu_argo.kube.client import connect
    from odahu_argo.plan.build import plan_trainings

    if offline and output is None:
        raise UserError("nothing to compare with", hint="pass -o DIR or omit --offline")
    manifests, settings = read(file, manifest_dir, profile, external_connection, strict=strict)
    plans = plan_trainings(manifests, settings)
    warn_of_unused(manifests)
    wanted = planned_trainings(plans)
    places = [] if output is None else [read_directory(output)]
    if not offline:
        places.append(read_cluster(connect(namespace or settings.namespace, context)))
    differences = [line for place in places for line in compare_trainings(wanted, place)]
    for line in differences:
        render.out(line)
    if differences:
        raise typer.Exit(DIFFERENT)
    render.out(f"no difference: {', '.join(wanted)}")
