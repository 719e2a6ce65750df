"""`odahu-argo train create|edit|retry|stop|delete`: what changes trainings on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from odahu_argo.cli import completing, render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, by_id_or_file
from odahu_argo.cli.target import Target, backend_options, cluster_options, group_options
from odahu_argo.cli.train_plans import preflight, prepare
from odahu_argo.cli.train_show import SomeId, get_command, history_command, logs_command, training_ids
from odahu_argo.cli.train_wait import Timeout, Wait, report

app = typer.Typer(name="train", help="Trainings on a cluster, or at an API server.", no_args_is_help=True)
app.callback()(group_options)
app.command("get")(get_command)
app.command("history")(history_command)
app.command("logs")(logs_command)

NewId = Annotated[
    str | None,
    typer.Option(
        "--id",
        "--train-id",
        metavar="ID",
        help="The training to take; of a single one, the id to give it instead of its own.",
    ),
]
KnownId = Annotated[
    str, typer.Option("--id", "--train-id", metavar="ID", autocompletion=completing.trainings, help="The training.")
]


@app.command("create")
@backend_options
def create_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    external_connection: ExternalConnections = None,
    wait: Wait = True,
    timeout: Timeout = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, also by the API; submit nothing.")
    ] = False,
    ignore_if_exists: Annotated[
        bool, typer.Option("--ignore-if-exists", help="A training that is there already is no error.")
    ] = False,
) -> None:
    """Submit a training to Argo, and follow it until it has ended. Ctrl-C ends the following, not the training.

    Ends with 0 when it succeeded, 4 when it failed, 5 when --timeout passed before.

    Example: odahu-argo train create -f training.yaml -f connections.yaml
    """
    from odahu_argo.errors import AlreadyExists

    reached = target.backend()
    submission = prepare(reached.trainings, file, manifest_dir, training_id, external_connection)
    preflight(submission, submission.ids)
    if dry_run:
        for name in submission.ids:
            render.out(submission.dry_run(name))
        return
    sent = []
    for name in submission.ids:
        try:
            sent.append(submission.create(name))
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            render.out(f"training {name} is there already")
    report(reached, sent, wait, timeout)


@app.command("edit")
@backend_options
def edit_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    external_connection: ExternalConnections = None,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Run a training anew from its manifest. The run before is stopped, and stays in its history.

    Example: odahu-argo train edit -f training.yaml -f connections.yaml
    """
    reached = target.backend()
    submission = prepare(reached.trainings, file, manifest_dir, training_id, external_connection)
    preflight(submission, submission.ids)
    report(reached, [submission.edit(name) for name in submission.ids], wait, timeout)


@app.command("retry")
@cluster_options
def retry_command(
    target: Target,
    training_id: KnownId,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Go on with a failed training from the step that failed: nothing is checked out or downloaded again.

    Example: odahu-argo train retry --id wine
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend

    reached = KubernetesBackend(*target.cluster())
    report(reached, [reached.trainings.retry(training_id)], wait, timeout)


@app.command("stop")
@cluster_options
def stop_command(
    target: Target,
    training_id: KnownId,
) -> None:
    """Stop a training that runs. It is failed then, and `train retry` can go on with it.

    Example: odahu-argo train stop --id wine
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend

    before = KubernetesBackend(*target.cluster()).trainings.stop(training_id)
    if before.status.has_ended:
        render.out(f"training {training_id} had {before.status.state} before")
    else:
        render.out(f"training {training_id} is being stopped")


@app.command("delete")
@backend_options
def delete_command(
    target: Target,
    training_id: SomeId = None,
    file: Files = None,
    ignore_not_found: Annotated[
        bool,
        typer.Option("--ignore-not-found/--not-ignore-not-found", help="A training that is not there is no error."),
    ] = False,
) -> None:
    """Delete a training: its runs, their workspaces, and what is remembered of it. Trained models stay.

    Example: odahu-argo train delete --id wine
    """
    from odahu_argo.errors import NotFound

    names = by_id_or_file("training", training_id, file, training_ids)
    trainings = target.backend().trainings
    for name in names:
        try:
            trainings.delete(name)
            render.out(f"training {name} is deleted")
        except NotFound:
            if not ignore_not_found:
                raise
            render.out(f"there is no training {name}")
