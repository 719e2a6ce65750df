"""`odahu-argo setup`: what a cluster needs before the first training, and an MLflow server for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import render
from odahu_argo.cli.target import KubeContext, NoUrl, ProfileFile, saved_text

if TYPE_CHECKING:
    from odahu_argo.install.namespace import InstalledObject
    from odahu_argo.profile import Profile

app = typer.Typer(name="setup", invoke_without_command=True)
TheirNamespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        envvar="ODAHU_ARGO_NAMESPACE",
        metavar="NAME",
        callback=saved_text("NAMESPACE"),
        help="Namespace of the trainings. Defaults to the namespace of the profile; any other must exist.",
    ),
]


@app.callback()
def setup_command(
    ctx: typer.Context,
    profile: ProfileFile = None,
    namespace: TheirNamespace = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install it all, where the API would take all of it.")] = False,
    context: KubeContext = None,
    elsewhere: NoUrl = None,
) -> None:
    """Print what trainings need on a cluster, or install it by --apply: namespace, accounts and rights, profile, recorder.

    What is printed is for `kubectl apply -f -`, and needs no cluster to be there.

    Example: odahu-argo setup --profile profile.yaml --apply
    """
    from odahu_argo.errors import UserError
    from odahu_argo.install.namespace import install_namespace, namespace_manifests

    if ctx.invoked_subcommand:
        given = [name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
        if given:
            what = ctx.invoked_subcommand
            raise UserError(f"--{given[0]} stands before {what!r}", f"write it after: odahu-argo setup {what} …")
        return
    text, settings, where = _settings(profile, namespace)
    if not apply:
        render.out(namespace_manifests(settings, where, text))
        return

    from odahu_argo.kube.client import connect

    _tell(install_namespace(connect(where, context), namespace_manifests(settings, where, text)))


@app.command("mlflow")
def setup_mlflow_command(
    values: Annotated[
        Path | None,
        typer.Option("--values", help="What the server is to be, a YAML file (docs/reference/mlflow-values.md)."),
    ] = None,
    profile: ProfileFile = None,
    namespace: TheirNamespace = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install it all, where the API would take all of it.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", help="Write the Helm chart with these values as a new folder.")
    ] = None,
    context: KubeContext = None,
) -> None:
    """Print an MLflow tracking server and the toolchains registered with it, install it by --apply, or write its chart.

    What is printed is for `kubectl apply -f -`, and needs no cluster to be there.

    Example: odahu-argo setup mlflow --values mlflow.yaml --profile profile.yaml --apply
    """
    from odahu_argo.errors import UserError
    from odahu_argo.install.mlflow import add_to_profile, install_mlflow
    from odahu_argo.install.mlflow_manifests import server_manifests, write_chart
    from odahu_argo.install.mlflow_values import load_values

    if chart and apply:
        raise UserError("--chart writes what Helm installs, --apply installs it", "give one of them")
    if chart:
        from odahu_argo.profile import load_profile

        write_chart(chart, load_values(values, load_profile(profile)))
        render.note(f"{chart}: helm install mlflow {chart} --namespace NAMESPACE")
        return
    _, settings, where = _settings(profile, namespace)
    chosen = load_values(values, settings)
    if not apply:
        render.out(server_manifests(chosen, where))
        return

    from odahu_argo.kube.client import connect

    cluster = connect(where, context)
    _tell(install_mlflow(cluster, chosen))
    if note := add_to_profile(cluster, chosen):
        render.note(f"note: {note}")


def _settings(profile: Path | None, namespace: str | None) -> tuple[str | None, Profile, str]:
    """The profile as it is written and as it is meant, and the namespace. Its file is read once: it may be a pipe.

    Raises:
        UserError: the profile cannot be used, or none of them names a namespace.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.profile import Profile, parse_profile, read_text

    text = None if profile is None else read_text(profile)
    settings = Profile() if text is None else parse_profile(text, str(profile))
    where = namespace or settings.namespace
    if where is None:
        raise UserError("which namespace?", hint="set namespace in the profile, or give --namespace")
    return text, settings, where


def _tell(installed: Iterable[InstalledObject]) -> None:
    for each in installed:
        render.out(f"{each.kind} {each.name} {'configured' if each.outcome == 'changed' else each.outcome}")
