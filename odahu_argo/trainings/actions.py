"""Create, edit, stop, retry and delete trainings on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from odahu_argo import naming
from odahu_argo.compile.retry import own_workspace_claim
from odahu_argo.compile.workflow import compile_workflow, digest
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, OdahuArgoError
from odahu_argo.kube.cluster import CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, WORKFLOW, Cluster
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.trainings import history, runs
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.queries import find_training, list_runs
from odahu_argo.trainings.retry import RetriedTraining, TrainingResources, retry_training
from odahu_argo.trainings.submit import SubmittedWorkflow, check, submit

STOP = {"spec": {"shutdown": "Stop"}}
"""https://argo-workflows.readthedocs.io/en/latest/fields/#workflowspec"""
WITHOUT_FINALIZERS = {"metadata": {"finalizers": None}}
"""https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection"""
MARK_DELETED = {"metadata": {"annotations": {naming.DELETED_ANNOTATION: "true"}}}


def create(cluster: Cluster, plan: Plan) -> SubmittedWorkflow:
    """Submit the first run of a training. If the same training is already running, return that run.

    Raises:
        AlreadyExists: A different training with this ID exists, or one that has ended. Nothing was changed.
        UserError: Argo or Kubernetes reject the Workflow.
        ServiceFault: The API cannot be reached.
    """
    return require_new(cluster, plan) or submit(cluster, compile_workflow(plan))


def require_new(cluster: Cluster, plan: Plan) -> SubmittedWorkflow | None:
    """Check that a training can be created. If the same training is already running, return that run.

    Raises:
        AlreadyExists: A different training with this ID exists, or one that has ended.
    """
    try:
        training = find_training(cluster, plan.training_id)
    except NotFound:
        return None
    newest = training.newest
    if newest.digest == digest(plan) and not newest.is_gone and not newest.status.has_ended:
        return SubmittedWorkflow(newest.workflow, newest.uid, is_new=False)
    raise AlreadyExists(
        f"training {training.id!r} already exists: attempt {newest.number}, {newest.status.state}",
        hint="start a new run with odahu-argo train edit -f FILE, or keep it with --ignore-if-exists",
        entity=training.id,
    )


def edit(cluster: Cluster, plan: Plan) -> SubmittedWorkflow:
    """Stop the current run and start a new one from the plan. The stopped run stays in the history.

    Its workspace is deleted, because only the newest run can be retried.

    Raises:
        NotFound: The training does not exist.
        UserError: Argo or Kubernetes reject the new Workflow; the current run continues.
        ServiceFault: The API cannot be reached.
    """
    training = _find_and_record(cluster, plan.training_id)
    workflow = compile_workflow(plan, training.newest.number + 1)
    check(cluster, workflow)
    _shut_down(cluster, training)
    submitted = submit(cluster, workflow)
    delete_workspaces(cluster, training.attempts)
    return submitted


def stop(cluster: Cluster, training_id: str) -> Training:
    """Stop the newest run, which then fails and keeps its workspace. Return the training as it was before.

    Raises:
        NotFound: The training does not exist.
        ServiceFault: The API cannot be reached.
    """
    training = _find_and_record(cluster, training_id)
    _shut_down(cluster, training)
    return training


def retry(
    cluster: Cluster,
    training_id: str,
    profile: Profile,
    plan: Plan | None = None,
    resources: TrainingResources | None = None,
) -> RetriedTraining:
    """Start a new attempt of a failed training in its workspace; see `retry_training`.

    Raises:
        NotFound: The training does not exist.
        UserError: The training has not failed, or its Workflow or workspace was deleted.
        ServiceFault: The API cannot be reached.
    """
    return retry_training(cluster, _find_and_record(cluster, training_id), profile, plan, resources)


def delete(cluster: Cluster, training_id: str) -> None:
    """Delete a training with its runs, workspaces and history. Trained models are kept.

    Raises:
        NotFound: The training does not exist.
        ServiceFault: The API cannot be reached.
    """
    attempts = _attempts_to_delete(cluster, training_id)
    for attempt in attempts:
        with suppress(NotFound):
            cluster.patch(WORKFLOW, attempt.workflow, MARK_DELETED)
    _delete_record(cluster, training_id)
    for attempt in attempts:
        with suppress(NotFound):
            cluster.delete(WORKFLOW, attempt.workflow)
    _delete_record(cluster, training_id)
    delete_workspaces(cluster, attempts)


def delete_workspaces(cluster: Cluster, attempts: Sequence[Attempt]) -> None:
    """Delete the workspaces of attempts, if the account may do so.

    Kubernetes protects a volume claim as long as a pod refers to it, even if the pod has ended. If all attempts have ended,
    remove that protection, as Argo's controller does with the claims of its Workflows.
    """
    have_ended = all(attempt.status.has_ended or attempt.is_gone for attempt in attempts)
    for attempt in attempts:
        claim = own_workspace_claim(attempt.workflow)
        with suppress(NotFound, Forbidden):
            cluster.delete(PERSISTENT_VOLUME_CLAIM, claim)
            if have_ended:
                cluster.patch(PERSISTENT_VOLUME_CLAIM, claim, WITHOUT_FINALIZERS)


def _find_and_record(cluster: Cluster, training_id: str) -> Training:
    """Find a training and record its status before a change, if the account may write records."""
    training = find_training(cluster, training_id)
    with suppress(OdahuArgoError):
        history.save(cluster, training)
    return training


def _attempts_to_delete(cluster: Cluster, training_id: str) -> Sequence[Attempt]:
    """Return all attempts. After an interrupted deletion, return those whose Workflows still exist."""
    try:
        return find_training(cluster, training_id).attempts
    except NotFound:
        remaining = list_runs(cluster, training_id)
        if not remaining:
            raise
        return runs.number_attempts(remaining, ())


def _delete_record(cluster: Cluster, training_id: str) -> None:
    """Delete the record. `delete` does so twice: a recorder may write it again before it sees that Workflows are marked."""
    with suppress(NotFound):
        cluster.delete(CONFIG_MAP, naming.record_name(training_id))


def _shut_down(cluster: Cluster, training: Training) -> None:
    newest = training.newest
    if not newest.is_gone and not newest.status.has_ended:
        with suppress(NotFound):
            cluster.patch(WORKFLOW, newest.workflow, STOP)
