"""Every name that odahu-argo invents, with its length rule.

Kubernetes allows 63 characters in a label value, a volume's name and (Argo's rule) a workflow's name, 253 in the name of a
Secret. A name that would be longer is cut and ends in 8 hexadecimal digits of the SHA-256 of the whole, so that different
long names stay different. This module knows words, not objects.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LABEL_LENGTH = 63

ID_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""ODAHU-flow's rule for the id of a training, connection or toolchain."""
LABEL_PATTERN = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""Kubernetes' rule for a label value, here never empty."""

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
"""The training as its author wrote it, in JSON."""
DIGEST_ANNOTATION = LABEL_PREFIX + "digest"
"""Equal for two workflows of one training that do the same."""
RESULTS_ANNOTATION = LABEL_PREFIX + "results"
"""What steps of an earlier attempt have left, which this one does not run again, in JSON."""
CONNECTION_ID_LABEL = LABEL_PREFIX + "connection-id"
CONNECTION_TYPE_LABEL = LABEL_PREFIX + "connection-type"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "odahu-argo"
SUBMISSION_ANNOTATION = LABEL_PREFIX + "submission"
"""Drawn anew for each submission, so that a workflow can be told from one of the same content that another has sent."""
DELETED_ANNOTATION = LABEL_PREFIX + "deleted"
"""On a workflow that is removed with its training: nothing is to be remembered of it."""
RECORDER = "odahu-argo-recorder"
"""What watches workflows and remembers how they ended: its service account, its rights and its Deployment."""
PROFILE_CONFIG_MAP = "odahu-argo-profile"
PROFILE_KEY = "profile.yaml"
"""The site's profile on the cluster, and the key that holds its text."""


def shorten(name: str, limit: int = LABEL_LENGTH) -> str:
    """`name` itself where it has at most `limit` characters, else its beginning and 8 digits of its digest."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def workflow_name(training_id: str, attempt: int = 1) -> str:
    """The workflow of a training's n-th attempt, at most 63 characters."""
    suffix = f"-{attempt}"
    return shorten(training_id, LABEL_LENGTH - len(suffix)) + suffix


def run_name(training_id: str, digest: str) -> str:
    """The workflow in git that runs a training of this content, at most 63 characters."""
    suffix = f"-{digest[:8]}"
    return shorten(training_id, LABEL_LENGTH - len(suffix)) + suffix


def cron_name(training_id: str) -> str:
    """The CronWorkflow of a training, at most 52 characters: Argo appends the time to the names of its workflows."""
    return shorten(training_id, 52)


def record_name(training_id: str) -> str:
    """The ConfigMap that remembers a training, at most 72 characters."""
    return f"training-{training_id}"


def mutex_name(training_id: str) -> str:
    """The lock that keeps two runs of one training apart."""
    return f"training-{training_id}"


def connection_secret(connection_id: str) -> str:
    """The Kubernetes Secret that holds a connection, at most 75 characters."""
    return f"connection-{connection_id}"


def toolchain_config_map(toolchain_id: str) -> str:
    """The ConfigMap that holds a toolchain, at most 74 characters."""
    return f"toolchain-{toolchain_id}"


def connection_volume(connection_id: str) -> str:
    """The volume by which a pod mounts that Secret, at most 63 characters."""
    return shorten(f"connection-{connection_id}")


def download_steps(connection_ids: Sequence[str]) -> list[str]:
    """A step name for each download, in the order given: `download-<connection>`, numbered from the second of one connection.

    No two are alike, also where a connection is itself called like the second download of another.
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
