"""Workflows and records in the compressed form that an informer keeps in memory: about 1 kB each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from odahu_argo.kube.cluster import Object
from odahu_argo.status.queues import QueuedPod
from odahu_argo.trainings import history
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.pod_warnings import starting_pods
from odahu_argo.trainings.queries import now
from odahu_argo.trainings.queues import PendingPod, pending_pods
from odahu_argo.trainings.runs import WorkflowRun, read_run

T = TypeVar("T")
_LEVEL = 1
"""Compression level. A higher one saves a tenth."""


@dataclass(frozen=True, slots=True)
class StartingPods:
    """Pods of a run that are starting, and the run's Workflow, to read it again when there are warnings about them.

    Attributes:
        pods: Names of the pods, with the times at which they were created.
        workflow: The Workflow as compressed JSON.
        in_queues: The pods that have a queue.
        warnings: Last warnings by pod that the attempt takes into account.
        queued: Pods held by queues, by name, that the attempt takes into account.
    """

    pods: Mapping[str, str]
    workflow: bytes
    in_queues: Sequence[PendingPod] = ()
    warnings: Mapping[str, str] = field(default_factory=dict)
    queued: Mapping[str, QueuedPod] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run of a training. `starting` is None if no pod is starting."""

    training_id: str
    uid: str
    number: int | None
    is_deleted: bool
    attempt: bytes
    starting: StartingPods | None = None

    def run(self, seen: str) -> WorkflowRun:
        """Return the run, whose status was last confirmed at the time `seen`."""
        [attempt] = _unpack(self.attempt).attempts
        return WorkflowRun(self.training_id, self.number, replace(attempt, seen=seen), self.is_deleted)

    def with_causes(self, warnings: Mapping[str, str] | None, queued: Mapping[str, QueuedPod]) -> KeptRun:
        """Return the run as these warnings about its starting pods, or queues that hold them, explain it.

        Without `warnings`, those of before remain.
        """
        known = self.starting
        if known is None:
            return self
        causes = replace(
            known,
            warnings=_of_pods(known.warnings if warnings is None else warnings, known.pods),
            queued=_of_pods(queued, known.pods),
        )
        if causes == known:
            return self
        workflow = json.loads(zlib.decompress(known.workflow))
        kept = _keep(read_run(workflow, now(), causes.warnings, causes.queued))
        return replace(kept, starting=causes)


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """The recorded history of a training."""

    training_id: str
    uid: str
    text: bytes

    def record(self) -> Training | None:
        """Return the recorded training, or None if this version cannot read the record."""
        return history.parse_record(_decode(self.text))


def keep_run(workflow: Object) -> KeptRun:
    """Keep a Workflow."""
    run = read_run(workflow, now())
    pods = starting_pods(run.attempt)
    kept = _keep(run)
    if not pods:
        return kept
    return replace(kept, starting=StartingPods(pods, _encode(json.dumps(workflow)), pending_pods(workflow)))


def keep_record(config_map: Object) -> KeptRecord:
    """Keep the ConfigMap of a record."""
    training_id, text = history.record_entry(config_map)
    return KeptRecord(training_id, str(config_map["metadata"].get("uid", "")), _encode(text))


def _of_pods(causes: Mapping[str, T], pods: Mapping[str, str]) -> dict[str, T]:
    return {pod: causes[pod] for pod in pods if pod in causes}


def _keep(run: WorkflowRun) -> KeptRun:
    attempt = _encode(history.to_text(run.training_id, [run.attempt]))
    return KeptRun(run.training_id, run.attempt.uid, run.number, run.is_deleted, attempt)


def _unpack(data: bytes) -> Training:
    training = history.parse_record(_decode(data))
    if training is None:
        raise ValueError("an attempt in memory cannot be read")
    return training


def _encode(text: str) -> bytes:
    """Compress a text. JSON may contain surrogates, which UTF-8 does not allow."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL)


def _decode(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8", "surrogatepass")
