"""`odahu-argo setup`: prepare a namespace for trainings, and install an MLflow server and queues."""

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
SetupNamespace = Annotated[
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
    namespace: SetupNamespace = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install the objects after a dry run of all of them.")] = False,
    context: KubeContext = None,
    elsewhere: NoUrl = None,
) -> None:
    """Print the objects that trainings need (namespace, accounts, roles, profile, recorder), or install them with --apply.

    The output is for `kubectl apply -f -`. Printing needs no cluster.

    Example: odahu-argo setup --profile profile.yaml --apply
    """
    from odahu_argo.errors import UserError
    from odahu_argo.install.namespace import install_namespace, namespace_manifests

    if ctx.invoked_subcommand:
        given = [name for name in ctx.params if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
        if given:
            what = ctx.invoked_subcommand
            raise UserError(f"--{given[0]} precedes {what!r}", f"put it after the command: odahu-argo setup {what} …")
        return
    text, settings, target_namespace = _settings(profile, namespace)
    if not apply:
        render.data(namespace_manifests(settings, target_namespace, text))
        return

    from odahu_argo.kube.client import connect

    _print_outcomes(
        install_namespace(connect(target_namespace, context), namespace_manifests(settings, target_namespace, text))
    )


@app.command("mlflow")
def setup_mlflow_command(
    values: Annotated[
        Path | None,
        typer.Option("--values", metavar="FILE", help="Values, a YAML file (docs/reference/mlflow-values.md)."),
    ] = None,
    profile: ProfileFile = None,
    namespace: SetupNamespace = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install the objects after a dry run of all of them.")] = False,
    chart: Annotated[
        Path | None,
        typer.Option("--chart", metavar="DIR", help="Write a Helm chart with these values to a new directory."),
    ] = None,
    context: KubeContext = None,
) -> None:
    """Print the objects of an MLflow server, install them with --apply, or write a Helm chart with --chart.

    The output is for `kubectl apply -f -`. Printing needs no cluster.

    Example: odahu-argo setup mlflow --values mlflow.yaml --profile profile.yaml --apply
    """
    from odahu_argo.errors import UserError
    from odahu_argo.install.mlflow import add_to_profile, install_mlflow
    from odahu_argo.install.mlflow_manifests import server_manifests, write_chart
    from odahu_argo.install.mlflow_values import load_values

    if chart and apply:
        raise UserError("--chart and --apply exclude each other", "pass one of them")
    if chart:
        from odahu_argo.profile import load_profile

        write_chart(chart, load_values(values, load_profile(profile)))
        render.note(f"{chart}: helm install mlflow {chart} --namespace NAMESPACE")
        return
    _, settings, target_namespace = _settings(profile, namespace)
    chosen = load_values(values, settings)
    if not apply:
        render.data(server_manifests(chosen, target_namespace))
        return

    from odahu_argo.kube.client import connect

    cluster = connect(target_namespace, context)
    _print_outcomes(install_mlflow(cluster, chosen))
    if note := add_to_profile(cluster, chosen):
        render.note(f"note: {note}")


@app.command("queues")
def setup_queues_command(
    profile: ProfileFile = None,
    namespace: SetupNamespace = None,
    apply: Annotated[bool, typer.Option("--apply", help="Install the objects after a dry run of all of them.")] = False,
    context: KubeContext = None,
) -> None:
    """Print the queues of Kueue for the profile's teams and node pools, or install them with --apply.

    The output is for `kubectl apply -f -`. Printing needs no cluster. Installing needs a cluster administrator.

    Example: odahu-argo setup queues --profile profile.yaml | kubectl apply -f -
    """
    from odahu_argo.install.queues import install_queues, queue_manifests

    _, settings, target_namespace = _settings(profile, namespace)
    manifests = queue_manifests(settings, target_namespace)
    if not apply:
        render.data(manifests)
        return

    from odahu_argo.kube.client import connect

    _print_outcomes(install_queues(lambda name: connect(name, context), manifests, target_namespace))


def _settings(profile: Path | None, namespace: str | None) -> tuple[str | None, Profile, str]:
    """Return the text of the profile, the profile and the namespace. The file is read once, since it may be a pipe.

    Raises:
        UserError: The profile cannot be used, or no namespace is given.
    """
    from odahu_argo.errors import UserError
    from odahu_argo.profile import Profile, parse_profile, read_text

    text = None if profile is None else read_text(profile)
    settings = Profile() if text is None else parse_profile(text, str(profile))
    target_namespace = namespace or settings.namespace
    if target_namespace is None:
        raise UserError("no namespace given", hint="set namespace in the profile or pass --namespace")
    return text, settings, target_namespace


def _print_outcomes(installed: Iterable[InstalledObject]) -> None:
    for item in installed:
        render.out(f"{item.kind} {item.name} {'configured' if item.outcome == 'changed' else item.outcome}")
