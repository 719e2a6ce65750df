"""Read trainings from a cluster: existing Workflows, and the recorded history of deleted ones. GET requests only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from odahu_argo import naming
from odahu_argo.errors import NotFound
from odahu_argo.kube.cluster import CONFIG_MAP, WORKFLOW, Cluster, Object
from odahu_argo.trainings import history, runs
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.pod_warnings import pod_warnings, slow_pods, starting_pods
from odahu_argo.trainings.queues import QueueReader, pending_pods
from odahu_argo.trainings.runs import WorkflowRun


def now() -> str:
    """Return the time in UTC as Kubernetes writes it: RFC 3339 with whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_trainings(cluster: Cluster) -> Iterator[Training]:
    """Yield every training in the namespace, sorted by ID.

    Raises:
        Forbidden, Unreachable: Workflows cannot be listed.
    """
    by_training = runs.runs_by_training(cluster.gather(WORKFLOW, run_reader(cluster), runs.SELECTOR).items)
    texts = dict(cluster.gather(CONFIG_MAP, history.record_entry, history.SELECTOR).items)
    for training_id in sorted({*by_training, *texts}):
        recorded = history.parse_record(texts.get(training_id, ""))
        if training := runs.combine(training_id, by_training.get(training_id, ()), recorded):
            yield training


def list_ids(cluster: Cluster) -> list[str]:
    """Return the ID of every training in the namespace.

    Raises:
        Forbidden, Unreachable: Workflows cannot be listed.
    """
    kinds = ((CONFIG_MAP, history.SELECTOR), (WORKFLOW, runs.SELECTOR))
    ids = (found for kind, labels in kinds for found in cluster.gather(kind, runs.training_id, labels).items)
    return sorted({found for found in ids if found})


def find_training(cluster: Cluster, training_id: str) -> Training:
    """Return one training.

    Raises:
        NotFound: There is no Workflow and no record of the training.
        Forbidden, Unreachable: Workflows cannot be listed.
    """
    by_training = runs.runs_by_training(list_runs(cluster, training_id))
    recorded = history.find_record(cluster, training_id)
    training = runs.combine(training_id, by_training.get(training_id, ()), recorded)
    if training is None:
        raise training_not_found(cluster, training_id)
    return training


def training_not_found(cluster: Cluster, training_id: str) -> NotFound:
    """Return the error for a training that does not exist."""
    return NotFound(
        f"training {training_id!r} does not exist in namespace {cluster.namespace!r}",
        hint="list trainings with odahu-argo train get, or select another namespace with -n",
        entity=training_id,
    )


def list_runs(cluster: Cluster, training_id: str) -> list[WorkflowRun]:
    """Return the runs of one training, including Workflows that are being deleted with it."""
    return list(cluster.gather(WORKFLOW, run_reader(cluster), {naming.TRAINING_ID_LABEL: training_id}).items)


def run_reader(cluster: Cluster) -> Callable[[Object], WorkflowRun]:
    """Return a function that reads a Workflow, with the warning events of slow pods and the queues that hold pods."""
    return partial(_read_run, cluster, QueueReader(cluster))


def _read_run(cluster: Cluster, queues: QueueReader, workflow: Object) -> WorkflowRun:
    time = now()
    run = runs.read_run(workflow, time)
    starting = starting_pods(run.attempt)
    if not starting:
        return run
    queued = queues.explain(pending_pods(workflow))
    slow = [pod for pod in slow_pods(starting, time) if pod not in queued]
    return runs.read_run(workflow, time, pod_warnings(cluster, slow), queued) if slow or queued else run
