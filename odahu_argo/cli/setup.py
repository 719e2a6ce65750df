"""`odahu-argo setup`: what a cluster needs before the first training."""

from __future__ import annotations

from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import ProfileFile


def setup_command(
    profile: ProfileFile = None,
    namespace: Annotated[
        str | None, typer.Option(help="Where trainings run, if the profile does not say; it must exist.")
    ] = None,
) -> None:
    """Print the namespace, service account and rights that trainings run with.

    Example: odahu-argo setup --profile profile.yaml | kubectl apply -f -
    """
    from odahu_argo.errors import UserError
    from odahu_argo.profile import load
    from odahu_argo.templates import fill

    settings = load(profile)
    if settings.namespace is None and namespace is None:
        raise UserError("which namespace?", hint="set namespace in the profile, or give --namespace")
    render.out(fill("setup.yaml.j2", profile=settings, namespace=settings.namespace or namespace))
