"""`odahu-argo train create|edit|retry|stop|delete`: what changes trainings on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odahu_argo.cli import completing, render
from odahu_argo.cli.options import (
    ExternalConnections,
    Files,
    Folders,
    KubeContext,
    Namespace,
    ProfileFile,
    by_id_or_file,
    cluster,
)
from odahu_argo.cli.train_plans import plans_of, preflight
from odahu_argo.cli.train_show import SomeId, get_command, history_command, logs_command, training_ids
from odahu_argo.cli.train_wait import Timeout, Wait, submitted, wait_for

if TYPE_CHECKING:
    from odahu_argo.plan.model import Plan
    from odahu_argo.profile import Profile
    from odahu_argo.submit.cluster import Cluster
    from odahu_argo.submit.send import Sent

app = typer.Typer(name="train", help="Trainings on a cluster.", no_args_is_help=True)
app.command("get")(get_command)
app.command("history")(history_command)
app.command("logs")(logs_command)

NewId = Annotated[
    str | None,
    typer.Option(
        "--id", "--train-id", help="The training to take; of a single one, the id to give it instead of its own."
    ),
]
KnownId = Annotated[str, typer.Option("--id", "--train-id", autocompletion=completing.trainings, help="The training.")]


@app.command("create")
def create_command(
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    namespace: Namespace = None,
    context: KubeContext = None,
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
    from odahu_argo.submit.cluster import AlreadyExists
    from odahu_argo.trainings.change import create

    connected, settings = cluster(profile, namespace, context)
    plans = plans_of(connected, file, manifest_dir, training_id, settings, external_connection)
    preflight(connected, settings, plans)
    if dry_run:
        _dry_run(connected, plans)
        return
    sent = []
    for plan in plans:
        try:
            sent.append((plan.training_id, create(connected, plan)))
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            render.out(f"training {plan.training_id} is there already")
    _report(connected, settings, sent, wait, timeout)


@app.command("edit")
def edit_command(
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    profile: ProfileFile = None,
    external_connection: ExternalConnections = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Run a training anew from its manifest. The run before is stopped, and stays in its history.

    Example: odahu-argo train edit -f training.yaml -f connections.yaml
    """
    from odahu_argo.trainings.change import edit

    connected, settings = cluster(profile, namespace, context)
    plans = plans_of(connected, file, manifest_dir, training_id, settings, external_connection)
    preflight(connected, settings, plans)
    sent = [(plan.training_id, edit(connected, plan)) for plan in plans]
    _report(connected, settings, sent, wait, timeout)


@app.command("retry")
def retry_command(
    training_id: KnownId,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Go on with a failed training from the step that failed: nothing is checked out or downloaded again.

    Example: odahu-argo train retry --id wine
    """
    from odahu_argo.trainings.change import retry

    connected, settings = cluster(profile, namespace, context)
    _report(connected, settings, [(training_id, retry(connected, training_id))], wait, timeout)


@app.command("stop")
def stop_command(
    training_id: KnownId, profile: ProfileFile = None, namespace: Namespace = None, context: KubeContext = None
) -> None:
    """Stop a training that runs. It is failed then, and `train retry` can go on with it.

    Example: odahu-argo train stop --id wine
    """
    from odahu_argo.trainings.change import stop

    connected, _ = cluster(profile, namespace, context)
    before = stop(connected, training_id)
    if before.status.has_ended:
        render.out(f"training {training_id} had {before.status.state} before")
    else:
        render.out(f"training {training_id} is being stopped")


@app.command("delete")
def delete_command(
    training_id: SomeId = None,
    file: Files = None,
    ignore_not_found: Annotated[
        bool,
        typer.Option("--ignore-not-found/--not-ignore-not-found", help="A training that is not there is no error."),
    ] = False,
    profile: ProfileFile = None,
    namespace: Namespace = None,
    context: KubeContext = None,
) -> None:
    """Delete a training: its runs, their workspaces, and what is remembered of it. Trained models stay.

    Example: odahu-argo train delete --id wine
    """
    from odahu_argo.submit.cluster import NotFound
    from odahu_argo.trainings.change import delete

    names = by_id_or_file("training", training_id, file, training_ids)
    connected, _ = cluster(profile, namespace, context)
    for name in names:
        try:
            delete(connected, name)
            render.out(f"training {name} is deleted")
        except NotFound:
            if not ignore_not_found:
                raise
            render.out(f"there is no training {name}")


def _dry_run(connected: Cluster, plans: list[Plan]) -> None:
    from odahu_argo.compile.workflow import compile_workflow
    from odahu_argo.submit.send import check
    from odahu_argo.trainings.change import require_new

    for plan in plans:
        require_new(connected, plan)
        workflow = compile_workflow(plan)
        check(connected, workflow)
        render.out(
            f"training {plan.training_id} would be submitted as workflow {workflow['metadata']['name']} (dry run)"
        )


def _report(
    connected: Cluster, settings: Profile, sent: list[tuple[str, Sent]], wait: bool, timeout: float | None
) -> None:
    for training_id, each in sent:
        submitted(connected, settings, training_id, each)
    if wait:
        wait_for(connected, settings, [training_id for training_id, _ in sent], timeout)
