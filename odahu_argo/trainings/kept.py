"""Workflows and records in the compressed form that an informer keeps in memory: about 1 kB each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from odahu_argo.kube.cluster import Object
from odahu_argo.trainings import history
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.pod_warnings import starting_pods
from odahu_argo.trainings.queries import now
from odahu_argo.trainings.runs import WorkflowRun, read_run

_LEVEL = 1
"""Compression level. A higher one saves a tenth."""


@dataclass(frozen=True, slots=True)
class StartingPods:
    """Pods of a run that are starting, and the run's Workflow, to read it again when there are warnings about them.

    Attributes:
        pods: Names of the pods, with the times at which they were created.
        workflow: The Workflow as compressed JSON.
        warnings: Last warnings by pod that the attempt takes into account.
    """

    pods: Mapping[str, str]
    workflow: bytes
    warnings: Mapping[str, str] = field(default_factory=dict)


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

    def with_warnings(self, warnings: Mapping[str, str]) -> KeptRun:
        """Return the run as these warnings about its starting pods explain it."""
        known = self.starting
        if known is None or dict(known.warnings) == {pod: text for pod, text in warnings.items() if pod in known.pods}:
            return self
        relevant = {pod: text for pod, text in warnings.items() if pod in known.pods}
        workflow = json.loads(zlib.decompress(known.workflow))
        kept = _keep(read_run(workflow, now(), relevant))
        return replace(kept, starting=replace(known, warnings=relevant))


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
    return replace(kept, starting=StartingPods(pods, _encode(json.dumps(workflow)))) if pods else kept


def keep_record(config_map: Object) -> KeptRecord:
    """Keep the ConfigMap of a record."""
    training_id, text = history.record_entry(config_map)
    return KeptRecord(training_id, str(config_map["metadata"].get("uid", "")), _encode(text))


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
