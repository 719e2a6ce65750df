"""`odahu-argo recorder`: what `setup` installs beside Argo."""

from __future__ import annotations

from odahu_argo.cli import render
from odahu_argo.cli.options import KubeContext, Namespace, ProfileFile, cluster
from odahu_argo.cli.site import NoUrl


def recorder_command(
    profile: ProfileFile = None, namespace: Namespace = None, context: KubeContext = None, elsewhere: NoUrl = None
) -> None:
    """Remember what becomes of every training, until stopped. `odahu-argo setup` installs it as a Deployment.

    Example: odahu-argo recorder -n ml
    """
    from odahu_argo.trainings.recorder import run

    connected, _ = cluster(profile, namespace, context)
    render.note(f"recording the trainings of namespace {connected.namespace}")
    run(connected, render.note)
