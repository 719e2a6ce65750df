"""`odahu-argo render` and `odahu-argo diff`: trainings as files in git, and how these compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, ProfileFile, read

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
    from odahu_argo.gitops.files import rendered
    from odahu_argo.gitops.tree import compare, difference, write
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
        return
    for told in write(output, files, overwrite):
        render.note(told)
