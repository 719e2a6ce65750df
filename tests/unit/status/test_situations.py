"""Status of situations without a recording (variants.py): state, reason, exit code, step and artifacts."""

from __future__ import annotations

import pytest

from odahu_argo.status.state import read_status
from tests.unit.status.variants import SITUATIONS, archived, failing, on_gpu, pending

EXPECTED = """
created                       | scheduling | Created                         |     |               |
created-empty-status          | scheduling | Created                         |     |               |
phase-unknown                 | unknown    | UnknownPhase                    |     |               | d3d6e8
phase-of-the-wrong-type       | unknown    | UnknownPhase                    |     |               | d3d6e8
status-of-the-wrong-type      | unknown    | UnknownPhase                    |     |               |
container-creating            | scheduling | waiting for step checkout       |     | checkout      |
pod-initializing              | running    | waiting for step train          |     | train         | d3d6e8
between-steps                 | running    | waiting for step train          |     | train         | d3d6e8
between-attempts              | running    | waiting for step train          |     | train         | d3d6e8
progress                      | running    |                                 |     | train         | d3d6e8
quota                         | scheduling | ExceededQuota                   |     | train         | d3d6e8
mutex-of-a-step               | scheduling | Mutex                           |     | train         | d3d6e8
semaphore                     | scheduling | Semaphore                       |     |               |
postponed                     | scheduling | Postponed                       |     |               |
claim-refused                 | scheduling | PersistentVolumeClaim           |     |               |
pending-no-message            | scheduling | Pending                         |     |               |
no-volume                     | scheduling | Unschedulable                   |     | checkout      |
zone                          | scheduling | Unschedulable                   |     | train         | d3d6e8
no-memory                     | scheduling | Unschedulable                   |     | checkout      |
labels                        | scheduling | Unschedulable                   |     | train         | d3d6e8
taint                         | scheduling | Unschedulable                   |     | train         | d3d6e8
unschedulable                 | scheduling | Unschedulable                   |     | train         | d3d6e8
image-absent                  | scheduling | ImagePullBackOff                |     | train         | d3d6e8
image-denied                  | scheduling | ImagePullBackOff                |     | train         | d3d6e8
image-error                   | scheduling | ImagePullBackOff                |     | train         | d3d6e8
image-name                    | scheduling | InvalidImageName                |     | train         | d3d6e8
pull-secret                   | scheduling | FailedToRetrieveImagePullSecret |     | train         | d3d6e8
connection-missing            | scheduling | CreateContainerConfigError      |     | train         | d3d6e8
connection-not-mounted        | scheduling | FailedMount                     |     | train         | d3d6e8
secret-missing                | scheduling | CreateContainerConfigError      |     | train         | d3d6e8
secret-key-missing            | scheduling | CreateContainerConfigError      |     | train         | d3d6e8
root                          | scheduling | CreateContainerConfigError      |     | train         | d3d6e8
container-refused             | scheduling | CreateContainerError            |     | train         | d3d6e8
volume-busy                   | scheduling | FailedMount                     |     | train         | d3d6e8
account-missing-pending       | scheduling | ServiceAccountNotFound          |     | train         | d3d6e8
restarting                    | scheduling | Evicted                         |     | train         | d3d6e8
unknown-reason                | scheduling | QuantumEntangled                |     | train         | d3d6e8
unknown-message               | scheduling | Pending                         |     | train         | d3d6e8
suspended-later               | scheduling | Suspended                       |     |               | d3d6e8
suspended-while-running       | running    | Suspended                       |     | train         | d3d6e8
suspend-node                  | scheduling | Suspended                       |     | approve       | d3d6e8
step-message                  | failed     | Error                           | 2   | train         | d3d6e8
misleading-step-message       | failed     | Error                           | 3   | train         | d3d6e8
stopping                      | running    | Stopping                        |     | train         | d3d6e8
stopped                       | failed     | Stopped                         | 143 | train         | d3d6e8
stopped-no-message            | failed     | Stopped                         | 143 | train         | d3d6e8
stopped-after-step            | failed     | Stopped                         |     | train         | d3d6e8
stopped-before-start          | failed     | Terminated                      |     |               |
deleting                      | running    | Deleting                        |     | train         | d3d6e8
step-deadline                 | failed     | DeadlineExceeded                |     | train         | d3d6e8
workflow-deadline             | failed     | DeadlineExceeded                |     | train         | d3d6e8
node-shutdown                 | failed     | NodeShutdown                    |     | train         | d3d6e8
evicted                       | failed     | Evicted                         |     | train         | d3d6e8
disk-full                     | failed     | Evicted                         |     | train         | d3d6e8
preempted                     | failed     | Preempted                       |     | train         | d3d6e8
rejected                      | failed     | Rejected                        |     | train         | d3d6e8
killed                        | failed     | Error                           | 137 | train         | d3d6e8
drained                       | failed     | Error                           | 143 | train         | d3d6e8
crashed                       | failed     | Error                           | 139 | train         | d3d6e8
no-artifact-repository        | failed     | NoArtifactRepository            | 64  | train         | d3d6e8
log-archive-down              | failed     | NotReported                     | 64  | train         | d3d6e8
executor-forbidden            | failed     | Forbidden                       | 64  | train         | d3d6e8
executor-error                | failed     | Error                           | 64  | train         | d3d6e8
no-python                     | failed     | Error                           | 64  | train         | d3d6e8
image-gone                    | failed     | ErrImagePull                    |     | train         | d3d6e8
connection-missing-failed     | failed     | CreateContainerConfigError      |     | train         | d3d6e8
failed-no-message             | failed     | Error                           |     | train         | d3d6e8
account-missing               | failed     | ServiceAccountNotFound          |     |               |
accounts-missing              | failed     | ServiceAccountNotFound          |     |               |
pod-security                  | failed     | Forbidden                       |     |               |
claim-error                   | failed     | PersistentVolumeClaim           |     |               |
lock-error                    | failed     | Synchronization                 |     |               |
unknown-error                 | failed     | Error                           |     |               |
failed-no-cause               | failed     | Error                           |     |               |
two-steps-failed              | failed     | Error                           | 1   | download-wine | d3d6e8
failed-and-lost               | failed     | Error                           | 1   | download-wine | d3d6e8
cancelled-after-failure       | failed     | Error                           | 2   | download-wine | d3d6e8
failed-other-step-running     | running    | Error                           |     | download-wine | d3d6e8
failed-other-step-pending     | scheduling | Unschedulable                   |     | train         | d3d6e8
continues-on-failure          | running    | waiting for step package        |     | package       | d3d6e8
compressed                    | failed     | OOMKilled                       | 137 | train         | d3d6e8
compressed-badly              | running    | NodesUnreadable                 |     |               | d3d6e8
offloaded-running             | running    | NodesOffloaded                  |     |               | d3d6e8
offloaded-not-running         | unknown    | NodesOffloaded                  |     |               | d3d6e8
offloaded-failed              | failed     | NodesOffloaded                  |     |               | d3d6e8
offloaded-succeeded           | succeeded  |                                 | 0   |               | d3d6e8 012345
gpu-running                   | running    |                                 |     | train         | c0ffee
gpu-second-attempt            | running    |                                 |     | train         | c0ffee
gpu-second-attempt-waits      | scheduling | Unschedulable                   |     | train         | c0ffee
gpu-between-attempts          | running    | waiting for step train          |     | train         | c0ffee
gpu-never-found               | failed     | PendingTimeout                  |     | train         | c0ffee
gpu-found-but-not-started     | failed     | PendingTimeout                  |     | train         | c0ffee
gpu-failed                    | failed     | Error                           | 2   | train         | c0ffee
retried                       | scheduling | waiting for step train          |     | train         | c0ffee earlie
by-template                   | scheduling | Unschedulable                   |     | train         | d3d6e8
by-template-timeout           | failed     | PendingTimeout                  |     | train         | d3d6e8
single-container              | running    |                                 |     | say           |
"""


def expectations() -> list[tuple[str, ...]]:
    return [tuple(cell.strip() for cell in line.split("|")) for line in EXPECTED.strip().splitlines()]


def test_every_situation_has_an_expectation() -> None:
    assert [name for name, *_ in expectations()] == list(SITUATIONS)


@pytest.mark.parametrize("expected", expectations(), ids=lambda expected: expected[0])
def test_status_of_situation(expected: tuple[str, ...]) -> None:
    name, state, reason, exit_code, step, artifacts = expected
    status = read_status(SITUATIONS[name])
    code = "" if status.exit_code is None else str(status.exit_code)
    artifact_ids = " ".join(filter(None, (status.artifacts.commit_id[:6], status.artifacts.run_id[:6])))
    assert (status.state, status.reason, code, status.step, artifact_ids) == (state, reason, exit_code, step, artifacts)
    assert status.message or state == "succeeded"
    assert status.hint or state == "running" or reason in NEEDS_NO_HINT


NEEDS_NO_HINT = {"", "Pending", "Evicted", "waiting for step checkout", "waiting for step train"}


def test_step_message_and_hint_come_from_termination_message() -> None:
    status = read_status(SITUATIONS["step-message"])
    assert (status.message, status.hint) == ("entry point 'main' has no parameter 'alpah'", "did you mean 'alpha'?")
    several = read_status(failing("main: Error (exit code 2): first\n  hint: one\nsecond\n  hint: two", exit_code=2))
    assert (several.message, several.hint) == ("first\nsecond", "one\ntwo")


def test_failure_after_end_of_step_says_that_step_finished() -> None:
    archive, stop = read_status(SITUATIONS["log-archive-down"]), read_status(SITUATIONS["stopped-after-step"])
    assert archive.message.startswith(
        "step train finished, but Argo's wait container could not archive its log or report"
    )
    assert "no such host" in archive.message
    assert "step train, which is not repeated: odahu-argo train retry" in archive.hint
    assert stop.message == "the training was stopped after step train had finished"


def test_running_training_says_at_once_that_a_step_has_failed() -> None:
    status = read_status(SITUATIONS["failed-other-step-running"])
    assert status.message == "step download-wine has failed: the bucket does not exist; step train is still running"
    cancelled = read_status(SITUATIONS["cancelled-after-failure"])
    assert cancelled.message == "the bucket does not exist"


def test_artifact_name_of_failed_upload_is_not_reported() -> None:
    workflow = failing("main: Error (exit code 3): cannot upload", exit_code=3)
    uploading = next(item for item in workflow["status"]["nodes"].values() if item["displayName"] == "train")
    parameter = {"name": "artifact-name", "globalName": "artifact-name", "value": "wine.zip"}
    uploading["outputs"]["parameters"] = [parameter]
    workflow["status"]["outputs"] = {"parameters": [parameter]}
    assert read_status(workflow).artifacts.artifact_name == ""
    uploading["outputs"]["exitCode"] = "0"
    assert read_status(workflow).artifacts.artifact_name == "wine.zip"


def test_control_characters_in_termination_message_are_replaced() -> None:
    status = read_status(failing("main: Error (exit code 2): \x1b[2Jcleared \x9b31m \ud800", exit_code=2))
    assert status.message == "?[2Jcleared ?31m ?"


def test_gpu_step_lists_pods_of_all_attempts() -> None:
    status = read_status(SITUATIONS["gpu-second-attempt-waits"])
    train = next(step for step in status.steps if step.name == "train")
    assert [(run.attempt, run.state) for run in train.runs] == [(1, "failed"), (2, "scheduling")]
    assert train.runs[0].pod.startswith("flower-classifier-1-train-")
    assert "deleted" in train.runs[0].message
    assert train.state == "scheduling"
    assert [step.name for step in status.steps] == [
        "checkout", "download-flower-images", "download-pretrained", "train", "package",
    ]  # fmt: skip


def test_training_is_scheduling_if_first_attempt_never_started() -> None:
    timed_out = {"phase": "Failed", "message": "timeout", "finishedAt": "2026-11-24T08:55:00Z"}
    workflow = on_gpu(timed_out, {"phase": "Pending"})
    nodes = workflow["status"]["nodes"]
    train_nodes = {key: node for key, node in nodes.items() if ".train" in node["name"]}
    workflow["status"]["nodes"] = train_nodes
    assert read_status(workflow).state == "scheduling"
    assert read_status(on_gpu(timed_out, {"phase": "Pending"})).state == "running"


def test_archived_log_of_each_attempt() -> None:
    train = read_status(archived()).steps[2]
    assert [(run.archived_log or {}).get("s3", {}).get("key") for run in train.runs] == [
        "logs/train(0)/main.log",
        "logs/train(1)/main.log",
    ]


def test_output_without_value_is_ignored() -> None:
    assert read_status(SITUATIONS["retried"]).artifacts.run_id == "earlier"
    workflow = SITUATIONS["retried"]
    outputs = {"parameters": [{"name": "run-id"}, {"name": "commit-id", "value": "deadbeef"}]}
    status = read_status({**workflow, "status": {**workflow["status"], "outputs": outputs}})
    assert (status.artifacts.run_id, status.artifacts.commit_id) == ("earlier", "deadbeef")


def test_commit_is_known_after_checkout() -> None:
    workflow = pending("")
    del workflow["status"]["outputs"]
    assert read_status(workflow).artifacts.commit_id.startswith("d3d6e8ed")


def test_warning_explains_pod_that_does_not_start() -> None:
    warning = 'FailedMount: MountVolume.SetUp failed for volume "wine" : secret "connection-wine-data" not found'
    workflow = pending("PodInitializing")
    [pod] = [run.pod for run in read_status(workflow).steps[2].runs]
    status = read_status(workflow, {pod: warning})
    assert (status.state, status.reason, status.step) == ("scheduling", "FailedMount", "train")
    assert status.message.startswith("the Secret of connection wine-data, which step train requires, does not exist")
    assert status.hint == "create it from the connection's manifest: odahu-argo conn apply -f FILE"


def test_pod_message_takes_precedence_over_warning() -> None:
    workflow = pending("Unschedulable: 0/1 nodes are available: 1 Insufficient memory.")
    [pod] = [run.pod for run in read_status(workflow).steps[2].runs]
    assert read_status(workflow, {pod: "FailedMount: late"}).reason == "Unschedulable"
