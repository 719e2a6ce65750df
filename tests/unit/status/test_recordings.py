"""Each recording replayed: what is true for the user whose training it is."""

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
class Truth:
    state: str
    reason: str
    message: str
    """Words that must be in it."""
    step: str
    steps: list[str]
    artifacts: Artifacts = CHECKED_OUT
    exit_code: int | None = None
    hint: str = ""


TRUTHS = {
    "deadline": Truth(
        "failed", "DeadlineExceeded", "the training took longer than its limit of 25 s", "train", TRAIN_FAILED,
        hint="timeouts.workflow",
    ),
    "download-failed": Truth(
        "failed", "Error", "step download-wine ended with exit code 1", "download-wine",
        ["succeeded", "failed", "skipped", "skipped"], exit_code=1,
        hint="train logs --id download-failed --step download-wine",
    ),
    "invalid": Truth(
        "failed", "InvalidSpec", "template name 'nope' undefined", "", [], NOTHING, hint="--validate",
    ),
    "missing-output": Truth(
        "failed", "MissingOutput", "did not leave the result /tmp/run-id", "train", TRAIN_FAILED, exit_code=64,
        hint="versions",
    ),
    "oom": Truth(
        "failed", "OOMKilled", "more memory than its limit of 64Mi", "train", TRAIN_FAILED, exit_code=137,
        hint="resources.limits.memory",
    ),
    "pending-mutex": Truth(
        "scheduling", "Mutex", "another run has ended: the lock m is held by mutex-a", "", BEFORE, NOTHING, hint="or stop it",
    ),
    "pod-deleted": Truth(
        "failed", "PodDeleted", "the pod of step train was deleted", "train", TRAIN_FAILED, hint="train retry",
    ),
    "quota-needs-limits": Truth(
        "failed", "ExceededQuota",
        "quota q wants limits.memory of every container, and init,wait of the pod of step checkout have none", "checkout",
        ["failed", "skipped", "skipped"], NOTHING, hint="LimitRange",
    ),
    "refused-by-limit-range": Truth(
        "failed", "Forbidden",
        "did not take the pod of step checkout: maximum memory usage per Container is 512Mi, but limit is 1Gi", "checkout",
        ["failed", "skipped", "skipped"], NOTHING, hint="a rule of the namespace",
    ),
    "retried-then-failed": Truth(
        "failed", "Error", "exit code 7, the last of 2 attempts", "train", TRAIN_FAILED, exit_code=7, hint="train logs",
    ),
    "retry-expression-not-retried": Truth(
        "failed", "Error", "step train ended with exit code 2", "train", TRAIN_FAILED, exit_code=2, hint="train logs",
    ),
    "running": Truth("running", "", "step train is running", "train", TRAIN_RUNS),
    "running-checkout-pending": Truth(
        "scheduling", "waiting for step checkout", "waiting for the pod of step checkout to start", "checkout",
        ["scheduling", "waiting", "waiting", "waiting"], NOTHING,
    ),
    "running-train": Truth("running", "", "step train is running", "train", TRAIN_RUNS),
    "running-train-image-missing": Truth(
        "scheduling", "ImagePullBackOff", "cannot be reached: localhost/no-such:1 (ImagePullBackOff: Back-off pulling image",
        "train", TRAIN_WAITS, hint="registry",
    ),
    "running-train-unschedulable": Truth(
        "scheduling", "Unschedulable",
        "no node has enough nvidia.com/gpu free for step train, which asks for 8 nvidia.com/gpu "
        "(Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", "train", TRAIN_WAITS, hint="doctor",
    ),
    "stopped-while-unschedulable": Truth(
        "failed", "Stopped", "the training was stopped while step train was waiting to start", "train",
        ["succeeded", "failed", "skipped"], Artifacts(commit_id="f5ce9548e8f5fc19e03a104a6ee3a02653866544"),
        hint="train retry",
    ),
    "succeeded": Truth("succeeded", "", "", "", DONE, TRAINED, exit_code=0),
    "succeeded-hardened-gpu": Truth("succeeded", "", "", "", DONE, TRAINED, exit_code=0),
    "suspended-at-creation": Truth(
        "scheduling", "Suspended", "the training is suspended", "", BEFORE, NOTHING, hint="resume",
    ),
    "terminated": Truth(
        "failed", "Terminated", "the training was terminated while step train was at work", "train", TRAIN_FAILED,
        exit_code=143, hint="train retry",
    ),
    "train-failed": Truth(
        "failed", "Error", "step train ended with exit code 3", "train", TRAIN_FAILED, exit_code=3, hint="train logs",
    ),
    "train-pending-timeout": Truth(
        "failed", "PendingTimeout", "within 20s: it waited for a node with 8 nvidia.com/gpu", "train", TRAIN_FAILED,
        hint="pools.gpu.pending_timeout",
    ),
}  # fmt: skip


def test_every_recording_has_its_truth() -> None:
    assert sorted(TRUTHS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_says_what_is_true(name: str) -> None:
    status, truth = read_status(recording(name)), TRUTHS[name]
    assert (status.state, status.reason, status.exit_code) == (truth.state, truth.reason, truth.exit_code)
    assert truth.message in status.message
    assert truth.hint in status.hint
    assert bool(truth.hint) == bool(status.hint)
    assert status.step == truth.step
    assert status.artifacts == truth.artifacts
    assert [step.state for step in status.steps] == truth.steps


def test_each_kind_of_trouble_has_a_sentence_and_a_hint_of_its_own() -> None:
    told = {
        status.reason: (status.message, status.hint) for name in NAMES if (status := read_status(recording(name))).hint
    }
    assert len(told) == 15
    assert len({message for message, _ in told.values()}) == len({hint for _, hint in told.values()}) == len(told)


def test_steps_stand_in_the_order_of_the_dag_with_their_times_and_pods() -> None:
    status = read_status(recording("retried-then-failed"))
    assert [step.name for step in status.steps] == ["checkout", "download-wine", "train", "package"]
    checkout, _, train, package = status.steps
    assert (checkout.started, checkout.finished) == ("2026-11-23T20:28:50Z", "2026-11-23T20:29:01Z")
    assert [(run.attempt, run.state, run.exit_code) for run in train.runs] == [(1, "failed", 7), (2, "failed", 7)]
    assert train.runs[0].pod == "retried-then-failed-train-1320740849"
    assert package.runs == ()
    assert (status.started, status.finished) == ("2026-11-23T20:28:50Z", "2026-11-23T20:29:51Z")
