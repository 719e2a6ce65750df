"""`odahu-argo train`: submit, retry, stop and delete trainings."""

from __future__ import annotations

from typing import Annotated

import typer

from odahu_argo.cli import completion, render
from odahu_argo.cli.options import ExternalConnections, Files, Folders, StrictChecks, amount, by_id_or_file
from odahu_argo.cli.submission import preflight, prepare
from odahu_argo.cli.target import Target, backend_options, cluster_options, group_options
from odahu_argo.cli.train_follow import Timeout, Wait, report
from odahu_argo.cli.train_show import SomeId, get_command, history_command, logs_command, training_ids

app = typer.Typer(name="train", help="Trainings on a cluster or an API server.", no_args_is_help=True)
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
        help="Select a training by ID. With a single training, override its ID.",
    ),
]
KnownId = Annotated[
    str,
    typer.Option("--id", "--train-id", metavar="ID", autocompletion=completion.trainings, help="ID of the training."),
]


@app.command("create")
@backend_options
def create_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    wait: Wait = True,
    timeout: Timeout = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate everything, including a dry run by the API. Submit nothing.")
    ] = False,
    ignore_if_exists: Annotated[bool, typer.Option("--ignore-if-exists", help="Skip trainings that exist.")] = False,
) -> None:
    """Submit trainings and follow them until they end. Press Ctrl-C to detach; the trainings keep running.

    Exits with 0 if all succeeded, 4 if one failed, 5 if --timeout expired.

    Example: odahu-argo train create -f training.yaml -f connections.yaml
    """
    from odahu_argo.errors import AlreadyExists

    backend = target.backend()
    submission = prepare(backend.trainings, file, manifest_dir, training_id, external_connection, strict)
    preflight(submission, submission.ids)
    if dry_run:
        for name in submission.ids:
            render.out(submission.dry_run(name))
        return
    submitted = []
    for name in submission.ids:
        try:
            submitted.append(submission.create(name))
        except AlreadyExists:
            if not ignore_if_exists:
                raise
            render.out(f"training {name} already exists")
    report(backend, submitted, wait, timeout)


@app.command("edit")
@backend_options
def edit_command(
    target: Target,
    file: Files = None,
    manifest_dir: Folders = None,
    training_id: NewId = None,
    external_connection: ExternalConnections = None,
    strict: StrictChecks = False,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Run trainings again with changed manifests. The current run is stopped and kept in the history.

    Example: odahu-argo train edit -f training.yaml -f connections.yaml
    """
    backend = target.backend()
    submission = prepare(backend.trainings, file, manifest_dir, training_id, external_connection, strict)
    preflight(submission, submission.ids)
    report(backend, [submission.edit(name) for name in submission.ids], wait, timeout)


@app.command("retry")
@cluster_options
def retry_command(
    target: Target,
    training_id: KnownId,
    file: Files = None,
    manifest_dir: Folders = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="AMOUNT", help="Memory limit of the step train, such as 8Gi.")
    ] = None,
    cpu: Annotated[
        str | None, typer.Option("--cpu", metavar="AMOUNT", help="CPU limit of the step train, such as 4 or 500m.")
    ] = None,
    wait: Wait = True,
    timeout: Timeout = None,
) -> None:
    """Restart a failed training at the step that failed, with the current profile. Finished steps are not repeated.

    With changed manifests (-f), a step whose specification changed and the steps that depend on it run again. Changed
    resources, pools and images do not repeat a finished step.

    Example: odahu-argo train retry --id wine --memory 8Gi
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend, KubernetesSubmission
    from odahu_argo.quantity import check_bytes, check_cpus
    from odahu_argo.trainings.retry import TrainingResources

    resources = TrainingResources(cpu=amount("--cpu", cpu, check_cpus), memory=amount("--memory", memory, check_bytes))
    backend = KubernetesBackend(*target.cluster())
    changed = None
    if file or manifest_dir:
        submission = prepare(backend.trainings, file, manifest_dir, training_id, None)
        preflight(submission, [training_id])
        changed = submission if isinstance(submission, KubernetesSubmission) else None
    report(backend, [backend.trainings.retry(training_id, changed, resources)], wait, timeout)


@app.command("stop")
@cluster_options
def stop_command(
    target: Target,
    training_id: KnownId,
) -> None:
    """Stop a running training. Its state becomes failed; `train retry` restarts it.

    Example: odahu-argo train stop --id wine
    """
    from odahu_argo.backends.kubernetes import KubernetesBackend

    training = KubernetesBackend(*target.cluster()).trainings.stop(training_id)
    if training.status.has_ended:
        render.out(f"training {training_id} had already {training.status.state}")
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
        typer.Option("--ignore-not-found/--not-ignore-not-found", help="Ignore trainings that do not exist."),
    ] = False,
) -> None:
    """Delete trainings with their runs, workspaces and history. Trained models are kept.

    Example: odahu-argo train delete --id wine
    """
    from odahu_argo.errors import NotFound

    names = by_id_or_file("training", training_id, file, training_ids)
    trainings = target.backend().trainings
    for name in names:
        try:
            trainings.delete(name)
            render.out(f"training {name} deleted")
        except NotFound:
            if not ignore_not_found:
                raise
            render.out(f"training {name} does not exist")
