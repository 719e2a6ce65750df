"""Status of each recorded Workflow."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from odahu_argo.status.model import Artifacts
from odahu_argo.status.state import read_status
from tests.unit.status.recordings import NAMES, recording

COMMIT = "d3d6e8ed776ed37fd2efd7a1b8d5fabdd7e3eea5"
NOTHING = Artifacts()
CHECKED_OUT = Artifacts(commit_id=COMMIT)
TRAINED = Artifacts("0123456789abcdef0123456789abcdef", "wine-3.0-be17d12d-df43-4588-99e7-56a0db3cad77.zip", COMMIT)

BEFORE = ["waiting"] * 4
TRAIN_WAITS = ["succeeded", "succeeded", "scheduling", "waiting"]
TRAIN_RUNS = ["succeeded", "succeeded", "running", "waiting"]
TRAIN_FAILED = ["succeeded", "succeeded", "failed", "skipped"]
DONE = ["succeeded"] * 4


@dataclass(frozen=True)
class Expected:
    state: str
    reason: str
    message: str
    """Substring of the message."""
    step: str
    steps: list[str]
    artifacts: Artifacts = CHECKED_OUT
    exit_code: int | None = None
    hint: str = ""


EXPECTED = {
    "deadline": Expected(
        "failed", "DeadlineExceeded", "the training exceeded its time limit of 25 s", "train", TRAIN_FAILED,
        hint="timeouts.workflow",
    ),
    "download-failed": Expected(
        "failed", "Error", "step download-wine failed with exit code 1", "download-wine",
        ["succeeded", "failed", "skipped", "skipped"], exit_code=1,
        hint="train logs --id download-failed --step download-wine",
    ),
    "invalid": Expected(
        "failed", "InvalidSpec", "template name 'nope' undefined", "", [], NOTHING, hint="--validate",
    ),
    "missing-output": Expected(
        "failed", "MissingOutput", "did not write its result to /tmp/run-id", "train", TRAIN_FAILED, exit_code=64,
        hint="version",
    ),
    "oom": Expected(
        "failed", "OOMKilled", "exceeded its memory limit of 64Mi", "train", TRAIN_FAILED, exit_code=137,
        hint="resources.limits.memory",
    ),
    "pending-mutex": Expected(
        "scheduling", "Mutex", "waiting for another run to finish: mutex-a has the lock m", "",
        BEFORE, NOTHING, hint="or stop it",
    ),
    "pod-deleted": Expected(
        "failed", "PodDeleted", "the pod of step train was deleted", "train", TRAIN_FAILED, hint="train retry",
    ),
    "quota-needs-limits": Expected(
        "failed", "ExceededQuota",
        "the quota q of the namespace requires limits.memory on every container, "
        "but init,wait of the pod of step checkout have none", "checkout",
        ["failed", "skipped", "skipped"], NOTHING, hint="LimitRange",
    ),
    "refused-by-limit-range": Expected(
        "failed", "Forbidden",
        "Kubernetes rejected the pod of step checkout: maximum memory usage per Container is 512Mi, but limit is 1Gi",
        "checkout",
        ["failed", "skipped", "skipped"], NOTHING, hint="a policy of the namespace",
    ),
    "retried-then-failed": Expected(
        "failed", "Error", "exit code 7, after 2 attempts", "train", TRAIN_FAILED, exit_code=7, hint="train logs",
    ),
    "retry-expression-not-retried": Expected(
        "failed", "Error", "step train failed with exit code 2", "train", TRAIN_FAILED, exit_code=2, hint="train logs",
    ),
    "running": Expected("running", "", "step train is running", "train", TRAIN_RUNS),
    "running-checkout-pending": Expected(
        "scheduling", "waiting for step checkout", "waiting for the pod of step checkout to start", "checkout",
        ["scheduling", "waiting", "waiting", "waiting"], NOTHING,
    ),
    "running-train": Expected("running", "", "step train is running", "train", TRAIN_RUNS),
    "running-train-image-missing": Expected(
        "scheduling", "ImagePullBackOff", "is unreachable: localhost/no-such:1 (ImagePullBackOff: Back-off pulling image",
        "train", TRAIN_WAITS, hint="registry",
    ),
    "running-train-unschedulable": Expected(
        "scheduling", "Unschedulable",
        "no node has enough nvidia.com/gpu free for step train, which requires 8 nvidia.com/gpu "
        "(Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", "train", TRAIN_WAITS, hint="doctor",
    ),
    "stopped-while-unschedulable": Expected(
        "failed", "Stopped", "the training was stopped while step train was pending", "train",
        ["succeeded", "failed", "skipped"], Artifacts(commit_id="f5ce9548e8f5fc19e03a104a6ee3a02653866544"),
        hint="train retry",
    ),
    "succeeded": Expected("succeeded", "", "", "", DONE, TRAINED, exit_code=0),
    "succeeded-hardened-gpu": Expected("succeeded", "", "", "", DONE, TRAINED, exit_code=0),
    "suspended-at-creation": Expected(
        "scheduling", "Suspended", "the training is suspended", "", BEFORE, NOTHING, hint="resume",
    ),
    "terminated": Expected(
        "failed", "Terminated", "the training was terminated while step train was running", "train", TRAIN_FAILED,
        exit_code=143, hint="train retry",
    ),
    "train-failed": Expected(
        "failed", "Error", "step train failed with exit code 3", "train", TRAIN_FAILED, exit_code=3, hint="train logs",
    ),
    "train-pending-timeout": Expected(
        "failed", "PendingTimeout", "within 20s: the step requires a node with 8 nvidia.com/gpu", "train", TRAIN_FAILED,
        hint="pools.gpu.pending_timeout",
    ),
}  # fmt: skip


def test_every_recording_has_an_expectation() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_status_of_recording(name: str) -> None:
    status, expected = read_status(recording(name)), EXPECTED[name]
    assert (status.state, status.reason, status.exit_code) == (expected.state, expected.reason, expected.exit_code)
    assert expected.message in status.message
    assert expected.hint in status.hint
    assert bool(expected.hint) == bool(status.hint)
    assert status.step == expected.step
    assert status.artifacts == expected.artifacts
    assert [step.state for step in status.steps] == expected.steps


def test_each_reason_has_a_distinct_message_and_hint() -> None:
    explanations = {
        status.reason: (status.message, status.hint) for name in NAMES if (status := read_status(recording(name))).hint
    }
    assert len(explanations) == 15
    assert (
        len({message for message, _ in explanations.values()})
        == len({hint for _, hint in explanations.values()})
        == len(explanations)
    )


def test_steps_follow_dag_order_with_times_and_pods() -> None:
    status = read_status(recording("retried-then-failed"))
    assert [step.name for step in status.steps] == ["checkout", "download-wine", "train", "package"]
    checkout, _, train, package = status.steps
    assert (checkout.started, checkout.finished) == ("2026-11-23T20:28:50Z", "2026-11-23T20:29:01Z")
    assert [(run.attempt, run.state, run.exit_code) for run in train.runs] == [(1, "failed", 7), (2, "failed", 7)]
    assert train.runs[0].pod == "retried-then-failed-train-1320740849"
    assert package.runs == ()
    assert (status.started, status.finished) == ("2026-11-23T20:28:50Z", "2026-11-23T20:29:51Z")
