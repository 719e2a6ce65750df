"""Creating, rerunning, stopping, retrying and deleting trainings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from odahu_argo import contract, naming
from odahu_argo.compile.resume import claim_of, resumed_workflow, workspace_claim
from odahu_argo.compile.workflow import compile_workflow, digest
from odahu_argo.errors import AlreadyExists, Forbidden, NotFound, UserError
from odahu_argo.kube.cluster import CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, WORKFLOW, Cluster, Kind, Object
from odahu_argo.plan.model import Plan
from odahu_argo.status.model import Status
from odahu_argo.trainings import runs
from odahu_argo.trainings.model import Attempt, Training
from odahu_argo.trainings.queries import find_training, runs_of
from odahu_argo.trainings.submit import Sent, check, send

STOP = {"spec": {"shutdown": "Stop"}}
"""https://argo-workflows.readthedocs.io/en/latest/fields/#workflowspec"""
UNPROTECTED = {"metadata": {"finalizers": None}}
"""https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection"""
GIVEN_UP = {"metadata": {"annotations": {naming.DELETED_ANNOTATION: "true"}}}


def create(cluster: Cluster, plan: Plan) -> Sent:
    """Submit the first run of a training, once: where the same training was submitted and goes on, that run is the answer.

    Raises:
        AlreadyExists: there is another training of this id, or one that has ended; it was not touched.
        UserError: Argo or Kubernetes do not take the workflow.
        ServiceFault: the API cannot be reached.
    """
    return require_new(cluster, plan) or send(cluster, compile_workflow(plan))


def require_new(cluster: Cluster, plan: Plan) -> Sent | None:
    """See that a training can be created; gives the run of the very same training where one goes on.

    Raises:
        AlreadyExists: there is another training of this id, or one that has ended.
    """
    try:
        training = find_training(cluster, plan.training_id)
    except NotFound:
        return None
    newest = training.newest
    if newest.digest == digest(plan) and not newest.is_gone and not newest.status.has_ended:
        return Sent(newest.workflow, newest.uid, created=False)
    raise AlreadyExists(
        f"there is a training {training.id!r}: attempt {newest.number}, {newest.status.state}",
        hint="odahu-argo train edit -f FILE runs it anew, --ignore-if-exists leaves it as it is",
    )


def edit(cluster: Cluster, plan: Plan) -> Sent:
    """Run a training anew, from what the manifest says now. The run before is stopped first and stays as history.

    Its workspace is given up, since only the newest run can be retried.

    Raises:
        NotFound: there is no training of this id.
        UserError: Argo or Kubernetes do not take the new workflow; the run before goes on.
        ServiceFault: the API cannot be reached.
    """
    training = find_training(cluster, plan.training_id)
    workflow = compile_workflow(plan, training.newest.number + 1)
    check(cluster, workflow)
    _shut_down(cluster, training)
    sent = send(cluster, workflow)
    give_up_workspaces(cluster, training.attempts)
    return sent


def stop(cluster: Cluster, training_id: str) -> Training:
    """End a training's newest run, which then fails and keeps its workspace. Gives the training as it was before.

    Raises:
        NotFound: there is no training of this id.
        ServiceFault: the API cannot be reached.
    """
    training = find_training(cluster, training_id)
    _shut_down(cluster, training)
    return training


def retry(cluster: Cluster, training_id: str) -> Sent:
    """A further attempt of a failed training from the step that failed, in the workspace that was kept.

    Raises:
        NotFound: there is no training of this id.
        UserError: it has not failed, or its workflow or workspace is gone.
        ServiceFault: the API cannot be reached.
    """
    training = find_training(cluster, training_id)
    newest = training.newest
    if newest.status.state != "failed":
        hint = "odahu-argo train edit -f FILE runs a training anew, whatever its state"
        raise UserError(f"training {training_id!r} has not failed: its state is {newest.status.state}", hint=hint)
    earlier = _still_there(cluster, WORKFLOW, newest.workflow, training_id)
    workspace = _still_there(cluster, PERSISTENT_VOLUME_CLAIM, claim_of(earlier), training_id)
    finished = frozenset(step.name for step in newest.status.steps if step.state == "succeeded")
    workflow = resumed_workflow(earlier, training_id, newest.number + 1, finished, _results(newest.status))
    sent = send(cluster, workflow)
    _own_too(cluster, workspace, sent)
    return sent


def delete(cluster: Cluster, training_id: str) -> None:
    """Remove a training with all its runs, their workspaces and what is remembered. Trained models stay.

    Raises:
        NotFound: there is no training of this id.
        ServiceFault: the API cannot be reached.
    """
    attempts = _attempts_to_delete(cluster, training_id)
    for attempt in attempts:
        with suppress(NotFound):
            cluster.patch(WORKFLOW, attempt.workflow, GIVEN_UP)
    _forget(cluster, training_id)
    for attempt in attempts:
        with suppress(NotFound):
            cluster.delete(WORKFLOW, attempt.workflow)
    _forget(cluster, training_id)
    give_up_workspaces(cluster, attempts)


def _attempts_to_delete(cluster: Cluster, training_id: str) -> Sequence[Attempt]:
    """All runs of a training; where a deletion was broken off, the workflows that it has left."""
    try:
        return find_training(cluster, training_id).attempts
    except NotFound:
        left = runs_of(cluster, training_id)
        if not left:
            raise
        return runs.attempts(left, ())


def _forget(cluster: Cluster, training_id: str) -> None:
    """Delete the record: before the workflows, so that whoever sees them go finds nothing remembered, and after them, for
    whoever has read them before."""
    with suppress(NotFound):
        cluster.delete(CONFIG_MAP, naming.record_name(training_id))


def give_up_workspaces(cluster: Cluster, attempts: Sequence[Attempt]) -> None:
    """Delete the workspaces that attempts of a training have left, where that is allowed.

    Kubernetes keeps a claim as long as a pod that names it is there, also one that has ended. Where all these attempts have
    ended, that protection is taken away, as Argo's controller does with the claims of its workflows.
    """
    are_over = all(each.status.has_ended or each.is_gone for each in attempts)
    for attempt in attempts:
        claim = workspace_claim(attempt.workflow)
        with suppress(NotFound, Forbidden):
            cluster.delete(PERSISTENT_VOLUME_CLAIM, claim)
            if are_over:
                cluster.patch(PERSISTENT_VOLUME_CLAIM, claim, UNPROTECTED)


def _results(status: Status) -> dict[str, str]:
    """What the steps have left so far, by the contract's names."""
    artifacts = status.artifacts
    found = {contract.COMMIT_ID: artifacts.commit_id, contract.RUN_ID: artifacts.run_id}
    return {name: value for name, value in found.items() if value}


def _shut_down(cluster: Cluster, training: Training) -> None:
    newest = training.newest
    if not newest.is_gone and not newest.status.has_ended:
        with suppress(NotFound):
            cluster.patch(WORKFLOW, newest.workflow, STOP)


def _still_there(cluster: Cluster, kind: Kind, name: str, training_id: str) -> Object:
    try:
        return cluster.get(kind, name)
    except NotFound as error:
        raise UserError(
            f"training {training_id!r} cannot be retried: its {kind.name} {name!r} is gone",
            hint="odahu-argo train edit -f FILE runs it anew, from the beginning",
        ) from error


def _own_too(cluster: Cluster, claim: Object, sent: Sent) -> None:
    """Let the new workflow own the claim as well, so that it goes with the last workflow that uses it."""
    owner = {"apiVersion": WORKFLOW.api_version, "kind": WORKFLOW.name, "name": sent.name, "uid": sent.uid}
    owners = [each for each in claim["metadata"].get("ownerReferences", []) if each.get("uid") != sent.uid]
    for each in owners:
        each.pop("controller", None)
    change = {"metadata": {"ownerReferences": [*owners, owner]}}
    cluster.patch(PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], change)
