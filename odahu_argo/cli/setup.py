"""`odahu-argo setup`: what a cluster needs before the first training."""

from __future__ import annotations

from typing import Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.options import KubeContext, ProfileFile


def setup_command(
    profile: ProfileFile = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            envvar="ODAHU_ARGO_NAMESPACE",
            help="Where trainings run, else the profile's namespace; one it does not name must exist.",
        ),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install it all, where the API would take all of it.")] = False,
    context: KubeContext = None,
) -> None:
    """Print what trainings need on a cluster, or install it by --apply: namespace, accounts and rights, profile, recorder.

    What is printed is for `kubectl apply -f -`, and needs no cluster to be there.

    Example: odahu-argo setup --profile profile.yaml --apply
    """
    from odahu_argo.errors import UserError
    from odahu_argo.profile import Profile, parse, read
    from odahu_argo.submit.setup import install, setup_text

    text = None if profile is None else read(profile)
    settings = Profile() if text is None else parse(text, str(profile))
    where = namespace or settings.namespace
    if where is None:
        raise UserError("which namespace?", hint="set namespace in the profile, or give --namespace")
    if not apply:
        render.out(setup_text(settings, where, text))
        return

    from odahu_argo.submit.kube import connect

    for each in install(connect(where, context), setup_text(settings, where, text)):
        render.out(f"{each.kind} {each.name} {'configured' if each.outcome == 'changed' else each.outcome}")
