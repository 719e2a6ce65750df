"""`odahu-argo setup`: what a cluster needs before the first training."""

from __future__ import annotations

from odahu_argo.cli import render
from odahu_argo.cli.options import ProfileFile

DEFAULT_NAMESPACE = "default"


def setup_command(profile: ProfileFile = None) -> None:
    """Print the namespace, service account and rights that trainings run with.

    Example: odahu-argo setup --profile profile.yaml | kubectl apply -f -
    """
    from odahu_argo.profile import load
    from odahu_argo.templates import fill

    settings = load(profile)
    render.out(fill("setup.yaml.j2", profile=settings, namespace=settings.namespace or DEFAULT_NAMESPACE))
