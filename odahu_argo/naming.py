"""Names of the Kubernetes objects, labels and annotations that odahu-argo creates.

Kubernetes limits label values and volume names to 63 characters and names of Secrets to 253; Argo limits names of workflows
to 63. A longer name is truncated and ends with 8 hexadecimal digits of the SHA-256 of the full name, so that different names
remain different.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LABEL_LENGTH = 63

ID_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""IDs of trainings, connections and toolchains in ODAHU-flow."""
LABEL_PATTERN = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""Non-empty label values of Kubernetes."""

WORKSPACE_CLAIM = "workspace"
ENTRYPOINT = "training"

LABEL_PREFIX = "odahu.org/"
TRAINING_ID_LABEL = LABEL_PREFIX + "training-id"
MODEL_NAME_LABEL = LABEL_PREFIX + "model-name"
MODEL_VERSION_LABEL = LABEL_PREFIX + "model-version"
TOOLCHAIN_LABEL = LABEL_PREFIX + "toolchain"
TOOLCHAIN_ID_LABEL = LABEL_PREFIX + "toolchain-id"
STEP_LABEL = LABEL_PREFIX + "step"
ATTEMPT_LABEL = LABEL_PREFIX + "attempt"
SPEC_ANNOTATION = LABEL_PREFIX + "training-spec"
"""JSON of the training's spec."""
DEFAULTS_ANNOTATION = LABEL_PREFIX + "defaults"
"""Fields of the training's spec whose values are defaults of the profile or the toolchain, separated by commas."""
DIGEST_ANNOTATION = LABEL_PREFIX + "digest"
"""Equal for workflows of one training with equal contents."""
RESULTS_ANNOTATION = LABEL_PREFIX + "results"
"""JSON of the results of steps that finished in an earlier attempt and do not run again."""
PENDING_TIMEOUT_ANNOTATION = LABEL_PREFIX + "pending-timeout"
"""Maximum wait of a template's pod for a node, such as `1800s`."""
QUEUE_TIMEOUT_ANNOTATION = LABEL_PREFIX + "queue-timeout"
"""Maximum time of a template's pod in a queue, such as `86400s`."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
"""Labels by which Kueue manages a pod: https://kueue.sigs.k8s.io/docs/reference/labels-and-annotations/"""
STOPPED_ANNOTATION = LABEL_PREFIX + "stopped"
STOPPED_WAITING = "pending-timeout"
STOPPED_IN_QUEUE = "queue-timeout"
"""Why the recorder stopped a workflow."""
CONNECTION_ID_LABEL = LABEL_PREFIX + "connection-id"
CONNECTION_TYPE_LABEL = LABEL_PREFIX + "connection-type"
UNDECODED_ANNOTATION = LABEL_PREFIX + "undecoded"
"""Fields of a connection, separated by commas, whose values may be base64 of binary data and are kept as they were sent."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "odahu-argo"
SUBMISSION_ANNOTATION = LABEL_PREFIX + "submission"
"""Random value that identifies a submission, to distinguish it from another submission of the same workflow."""
DELETED_ANNOTATION = LABEL_PREFIX + "deleted"
"""Marks a workflow that is deleted with its training, so that its history is not recorded."""
RECORDER = "odahu-argo-recorder"
"""Name of the recorder's service account, role and Deployment. The recorder stores the final states of workflows."""
PROFILE_CONFIG_MAP = "odahu-argo-profile"
PROFILE_KEY = "profile.yaml"
"""ConfigMap of the profile on the cluster, and the key of its text."""


def as_id(text: str) -> str:
    """Return a valid ID that resembles the text: `my model 2` becomes `my-model-2`. Empty if nothing of it is valid."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-")


def shorten(name: str, limit: int = LABEL_LENGTH) -> str:
    """Return the name, truncated to `limit` characters including 8 digits of its digest if it is longer."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def workflow_name(training_id: str, attempt: int = 1) -> str:
    """Return the name of the workflow of an attempt, with at most 63 characters."""
    suffix = f"-{attempt}"
    return shorten(training_id, LABEL_LENGTH - len(suffix)) + suffix


def run_name(training_id: str, digest: str) -> str:
    """Return the name of the GitOps workflow that runs the plan with this digest, with at most 63 characters."""
    suffix = f"-{digest[:8]}"
    return shorten(training_id, LABEL_LENGTH - len(suffix)) + suffix


def cron_name(training_id: str) -> str:
    """Return the name of a training's CronWorkflow, with at most 52 characters: Argo appends a timestamp to its workflows."""
    return shorten(training_id, 52)


def record_name(training_id: str) -> str:
    """Return the name of the ConfigMap with a training's history, with at most 72 characters."""
    return f"training-{training_id}"


def mutex_name(training_id: str) -> str:
    """Return the name of the lock that prevents parallel runs of one training."""
    return f"training-{training_id}"


def connection_secret(connection_id: str) -> str:
    """Return the name of a connection's Secret, with at most 75 characters."""
    return f"connection-{connection_id}"


def toolchain_config_map(toolchain_id: str) -> str:
    """Return the name of a toolchain's ConfigMap, with at most 74 characters."""
    return f"toolchain-{toolchain_id}"


def connection_volume(connection_id: str) -> str:
    """Return the name of the volume of a connection's Secret, with at most 63 characters."""
    return shorten(f"connection-{connection_id}")


def download_steps(connection_ids: Sequence[str]) -> list[str]:
    """Return a unique step name for each download, in order: `download-<connection>`, with a number for repeated connections.

    A number is skipped if another connection already has that name.
    """
    taken = {f"download-{connection_id}" for connection_id in connection_ids}
    seen: set[str] = set()
    names = []
    for connection_id in connection_ids:
        name, number = f"download-{connection_id}", 2
        if name in seen:
            while f"{name}-{number}" in taken:
                number += 1
            name = f"{name}-{number}"
        seen.add(name)
        taken.add(name)
        names.append(name)
    return names
