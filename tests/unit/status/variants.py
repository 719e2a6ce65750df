"""Situations without a recording: modified recordings, and the compiled GPU example with synthetic nodes.

The messages come from the source of Argo 4.1.2 (workflow/controller, workflow/executor), the kubelet and the scheduler.
"""

# ruff: noqa: E501 (verbatim messages of Argo)
from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from odahu_argo import naming
from tests.conftest import EXAMPLES
from tests.unit.status.recordings import recording

Object = dict[str, Any]

STEP_ERROR = "main: Error (exit code 2): entry point 'main' has no parameter 'alpah'\n  hint: did you mean 'alpha'?"
LOST = "Pod was terminated in response to imminent node shutdown."
PULL = 'ImagePullBackOff: Back-off pulling image "registry.example.org/ml/train:9": ErrImagePull: failed to pull and unpack image: '
QUOTA = 'pods "x" is forbidden: exceeded quota: team-ml, requested: requests.nvidia.com/gpu=8, used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=8'


def node(workflow: Object, step: str) -> Object:
    return next(item for item in workflow["status"]["nodes"].values() if item["displayName"] == step)


def without(workflow: Object, *steps: str) -> Object:
    nodes = workflow["status"]["nodes"]
    workflow["status"]["nodes"] = {key: item for key, item in nodes.items() if item["displayName"] not in steps}
    return workflow


def pending(message: str, step: str = "train") -> Object:
    """Return a workflow whose next pod is pending with `message`."""
    workflow = recording("running-checkout-pending" if step == "checkout" else "running-train-unschedulable")
    node(workflow, step)["message"] = message
    return workflow


def failing(message: str, phase: str = "Failed", exit_code: int | None = None) -> Object:
    """Return a workflow whose training pod failed with `message`."""
    workflow = recording("train-failed")
    train = node(workflow, "train")
    train |= {"message": message, "phase": phase}
    train["outputs"] = {} if exit_code is None else {"exitCode": str(exit_code)}
    return workflow


def failed_workflow(message: str, phase: str = "Error") -> Object:
    """Return a workflow that failed before it had nodes."""
    workflow = recording("invalid")
    workflow["status"] |= {"message": message, "phase": phase}
    return workflow


def status(name: str, **fields: object) -> Object:
    workflow = recording(name)
    workflow["status"] |= fields
    return workflow


def spec(name: str, **fields: object) -> Object:
    workflow = recording(name)
    workflow["spec"] |= fields
    return workflow


def compress(nodes: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(nodes).encode(), mtime=0)).decode()


def without_nodes(name: str, **fields: object) -> Object:
    """Return a workflow whose nodes are not in the object."""
    workflow = status(name, **fields)
    del workflow["status"]["nodes"]
    return workflow


def on_gpu(*attempts: Object, step: Object | None = None, phase: str = "Running", **fields: object) -> Object:
    """Return the compiled GPU example while Argo runs it: a Retry node, and a pod for each attempt."""
    workflow = json.loads((EXAMPLES / "02-gpu-two-connections/golden/workflow.json").read_text(encoding="utf-8"))
    name = workflow["metadata"]["name"]
    outputs = {"exitCode": "0", "parameters": [{"name": "commit-id", "globalName": "commit-id", "value": "c0ffee"}]}
    succeeded = {"phase": "Succeeded", "type": "Pod", "hostNodeName": "cpu-1"}
    nodes: dict[str, Object] = {name: {"type": "DAG", "phase": phase, "templateName": "training"}}
    for number, finished in enumerate(("checkout", "download-flower-images", "download-pretrained")):
        times = {"startedAt": f"2026-11-24T08:0{number}:00Z", "finishedAt": f"2026-11-24T08:0{number}:50Z"}
        nodes[f"{name}.{finished}"] = {"type": "Retry", "phase": "Succeeded", "templateName": finished, **times}
        pod_outputs = outputs if finished == "checkout" else {"exitCode": "0"}
        nodes[f"{name}.{finished}(0)"] = {**succeeded, "outputs": pod_outputs, "templateName": finished, **times}
    nodes[f"{name}.train"] = {
        "type": "Retry",
        "templateName": "train",
        "startedAt": "2026-11-24T08:10:00Z",
        **(step or {}),
    }
    nodes[f"{name}.train"].setdefault("phase", "Running")
    for number, attempt in enumerate(attempts):
        times = {"startedAt": f"2026-11-24T08:1{number}:00Z"}
        nodes[f"{name}.train({number})"] = {"type": "Pod", "templateName": "train", **times, **attempt}
    for number, (path, entry) in enumerate(nodes.items()):
        display = path.removeprefix(name).removeprefix(".") or name
        entry |= {"id": f"{name}-{1000 + number}", "name": path, "displayName": display.rpartition(".")[2]}
    workflow["status"] = {
        "phase": phase,
        "startedAt": "2026-11-24T08:00:00Z",
        "nodes": {n["id"]: n for n in nodes.values()},
    }
    workflow["status"] |= fields
    return workflow


def stopped_for_waiting(attempt: Object) -> Object:
    """Return the GPU example after the recorder has stopped it."""
    workflow = on_gpu(attempt, phase="Failed", step={"phase": "Failed", "message": "Stopped with strategy 'Terminate'"},
        message="Stopped with strategy 'Terminate'")  # fmt: skip
    workflow["metadata"]["annotations"][naming.STOPPED_ANNOTATION] = naming.STOPPED_WAITING
    workflow["spec"]["shutdown"] = "Terminate"
    return workflow


TERMINATED = "workflow shutdown with strategy:  Terminate"
LOST_ATTEMPT: Object = {
    "phase": "Error", "message": "pod deleted", "hostNodeName": "gpu-1", "finishedAt": "2026-11-24T08:10:30Z",
}  # fmt: skip


def with_second_failure(workflow: Object, finished: str, step: str, message: str) -> Object:
    """Return the workflow with another failed step."""
    other = node(workflow, step)
    other |= {
        "phase": "Failed",
        "type": "Pod",
        "message": message,
        "finishedAt": finished,
        "outputs": {"exitCode": "1"},
    }
    return workflow


def retried() -> Object:
    """Return a retry on the kept workspace: its DAG omits checkout and download, whose results are in an annotation."""
    workflow = recording("running-checkout-pending")
    tasks = workflow["spec"]["templates"][0]["dag"]["tasks"]
    workflow["spec"]["templates"][0]["dag"]["tasks"] = [task for task in tasks if task["name"] in ("train", "package")]
    results = json.dumps({"commit-id": "c0ffee", "run-id": "earlier", "nonsense": 3})
    workflow["metadata"]["annotations"][naming.RESULTS_ANNOTATION] = results
    pod = node(workflow, "checkout")
    pod |= {"name": "fresh.train", "displayName": "train", "templateName": "train"}
    return workflow


def by_template(name: str) -> Object:
    """Return a workflow that refers to a WorkflowTemplate: Argo stores the template's specification in the status."""
    workflow = recording(name)
    stored = {"entrypoint": "training", "templates": workflow["spec"].pop("templates")}
    workflow["spec"] = {"workflowTemplateRef": {"name": "train-wine"}}
    workflow["status"]["storedWorkflowTemplateSpec"] = stored
    return workflow


def with_metadata(name: str, **fields: object) -> Object:
    workflow = recording(name)
    workflow["metadata"] |= fields
    return workflow


def single_container() -> Object:
    """Return a workflow that odahu-argo did not create: its entry point is a container."""
    pod = {
        "id": "hello",
        "name": "hello",
        "displayName": "hello",
        "type": "Pod",
        "phase": "Running",
        "templateName": "say",
    }
    return {
        "kind": "Workflow",
        "metadata": {"name": "hello"},
        "spec": {"entrypoint": "say", "templates": [{"name": "say", "container": {"image": "busybox"}}]},
        "status": {"phase": "Running", "nodes": {"hello": pod}},
    }


def suspended_between_steps() -> Object:
    workflow = without(recording("running"), "train")
    workflow["spec"]["suspend"] = True
    return workflow


def suspend_node() -> Object:
    workflow = recording("running")
    node(workflow, "train").update(type="Suspend", displayName="approve", name="running.approve")
    return workflow


def continues_on_failure() -> Object:
    """Return a custom DAG in which package also runs after train has failed."""
    workflow = without(recording("pod-deleted"), "package")
    tasks = workflow["spec"]["templates"][0]["dag"]["tasks"]
    tasks[-1]["depends"] = "train.Succeeded || train.Failed || train.Errored"
    return workflow


def between_attempts() -> Object:
    workflow = recording("retried-then-failed")
    workflow["status"] |= {"phase": "Running"}
    workflow = without(workflow, "package", "train(1)")
    node(workflow, "train").update(phase="Running", message="Backoff for 10 seconds")
    node(workflow, "train(0)")["message"] = "main: Error (exit code 3): the S3 server does not answer"
    return workflow


def deleting() -> Object:
    workflow = recording("running")
    workflow["metadata"]["deletionTimestamp"] = "2026-11-24T09:00:00Z"
    return workflow


def stopped() -> Object:
    workflow = recording("terminated")
    workflow["spec"]["shutdown"] = "Stop"
    workflow["status"]["message"] = "Stopped with strategy 'Stop'"
    return workflow


def stopped_after_step() -> Object:
    """Return a workflow that was stopped between the end of a pod and Argo's next look at it."""
    workflow = status("retried-then-failed", message="Stopped with strategy 'Stop'")
    workflow["spec"]["shutdown"] = "Stop"
    workflow = without(workflow, "package", "train(1)")
    node(workflow, "train")["message"] = "Stopped with strategy 'Stop'"
    node(workflow, "train(0)").update(phase="Succeeded", message="", outputs={"exitCode": "0"})
    return workflow


def step_deadline() -> Object:
    workflow = failing("Pod was active on the node longer than the specified deadline")
    next(item for item in workflow["spec"]["templates"] if item["name"] == "train")["activeDeadlineSeconds"] = "3600"
    return workflow


def workflow_deadline() -> Object:
    """Argo shortens a pod's deadline to what remains of the workflow's, so the kubelet reports it."""
    workflow = step_deadline()
    workflow["spec"]["activeDeadlineSeconds"] = 30
    return workflow


def progress() -> Object:
    workflow = recording("running-train")
    node(workflow, "train")["progress"] = "42/100"
    return workflow


def archived() -> Object:
    workflow = recording("retried-then-failed")
    for attempt in ("train(0)", "train(1)"):
        log = {"name": "main-logs", "s3": {"key": f"logs/{attempt}/main.log"}}
        node(workflow, attempt)["outputs"]["artifacts"] = [{"name": "other"}, log]
    return workflow


SITUATIONS: dict[str, Object] = {
    "created": {"kind": "Workflow", "metadata": {"name": "wine-1"}, "spec": {}},
    "created-empty-status": {**recording("running"), "status": {}},
    "phase-unknown": status("running", phase="Paused"),
    "phase-of-the-wrong-type": status("running", phase=["Running"]),
    "status-of-the-wrong-type": {**recording("running"), "status": "Running"},
    # Pods that start normally.
    "container-creating": pending("ContainerCreating", "checkout"),
    "pod-initializing": pending("PodInitializing"),
    "between-steps": without(recording("running"), "train"),
    "between-attempts": between_attempts(),
    "progress": progress(),
    # Pods that do not start.
    "quota": pending(QUOTA),
    "mutex-of-a-step": pending("Waiting for argo/Mutex/gpu lock. Lock status: 0/1"),
    "semaphore": status("pending-mutex", message="Waiting for argo/Semaphore/limits/train lock. Lock status: 0/2", synchronization={
        "semaphore": {"waiting": [{"holders": ["argo/wine-1", "argo/wine-2"], "semaphore": "argo/Semaphore/limits/train"}]}}),
    "postponed": status("pending-mutex", message="Workflow processing has been postponed because too many workflows are already running"),
    "claim-refused": status("pending-mutex", message=f"Waiting for a PVC to be created. persistentvolumeclaims {QUOTA}"),
    "pending-no-message": status("pending-mutex", message="", synchronization=None),
    "no-volume": pending("Unschedulable: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found", "checkout"),
    "zone": pending("Unschedulable: 0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient cpu."),
    "no-memory": pending("Unschedulable: 0/3 nodes are available: 3 Insufficient memory.", "checkout"),
    "labels": pending("Unschedulable: 0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."),
    "taint": pending("Unschedulable: 0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: ml}."),
    "unschedulable": pending("Unschedulable: 0/3 nodes are available: 3 node(s) were unschedulable."),
    "image-absent": pending(PULL + "registry.example.org/ml/train:9: not found"),
    "image-denied": pending(PULL + "failed to authorize: failed to fetch anonymous token: 401 Unauthorized"),
    "image-error": pending(PULL + "unexpected media type"),
    "image-name": pending('InvalidImageName: Failed to apply default image tag "Train:!": couldn\'t parse image name "Train:!"'),
    "pull-secret": pending("FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (registry)"),
    "connection-missing": pending('CreateContainerConfigError: secret "connection-wine-data" not found'),
    "connection-not-mounted": pending('MountVolume.SetUp failed for volume "connection-wine-data" : secret "connection-wine-data" not found'),
    "secret-missing": pending('CreateContainerConfigError: secret "mlflow-credentials" not found'),
    "secret-key-missing": pending("CreateContainerConfigError: couldn't find key token in Secret ml/mlflow-credentials"),
    "root": pending("CreateContainerConfigError: container has runAsNonRoot and image will run as root (pod: …)"),
    "container-refused": pending("CreateContainerError: context deadline exceeded"),
    "volume-busy": pending("FailedAttachVolume: Multi-Attach error for volume pvc-1"),
    "account-missing-pending": pending('pods "x" is forbidden: error looking up service account ml/trainer: serviceaccount "trainer" not found'),
    "restarting": pending("Pod auto-restarting due to Evicted: The node was low on resource: memory."),
    "unknown-reason": pending("QuantumEntangled: the pod is in two places"),
    "unknown-message": pending("an unknown message"),
    "suspended-later": suspended_between_steps(),
    "suspended-while-running": spec("running", suspend=True),
    "suspend-node": suspend_node(),
    # Failures and shutdowns.
    "step-message": failing(STEP_ERROR, exit_code=2),
    "misleading-step-message": failing("main: Error (exit code 3): cannot evict low on resource: preempted OOMKilled", exit_code=3),
    "stopping": spec("running", shutdown="Stop"),
    "stopped": stopped(),
    "stopped-no-message": {**stopped(), "status": {**stopped()["status"], "message": ""}},
    "stopped-after-step": stopped_after_step(),
    "stopped-before-start": failed_workflow("Stopped with strategy 'Terminate'", "Failed"),
    "deleting": deleting(),
    "step-deadline": step_deadline(),
    "workflow-deadline": workflow_deadline(),
    "node-shutdown": failing(LOST),
    "evicted": failing("The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "),
    "disk-full": failing("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "),
    "preempted": failing("Preempted in order to admit critical pod"),
    "rejected": failing("Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu."),
    "killed": failing("main: Error (exit code 137)", exit_code=137),
    "drained": failing("main: Error (exit code 143)", exit_code=143),
    "crashed": failing("main: Error (exit code 139)", exit_code=139),
    "no-artifact-repository": failing("wait: Error (exit code 64): artifact storage is not configured; see the docs for setup "
        "instructions: https://argo-workflows.readthedocs.io/en/latest/configure-artifact-repository/", "Error", 0),
    "log-archive-down": failing("wait: Error (exit code 64): timed out waiting for the condition: failed to put file: Put "
        "http://minio.ml.svc:9000/logs/wine/main.log: dial tcp: lookup minio.ml.svc: no such host", "Error", 0),
    "executor-forbidden": failing('wait: Error (exit code 64): workflowtaskresults.argoproj.io is forbidden: User '
        '"system:serviceaccount:ml:default" cannot create resource "workflowtaskresults"', "Error", 0),
    "executor-error": failing("init: Error (exit code 64): unexpected error", "Error"),
    "no-python": failing('main: Error (exit code 64): failed to find name in PATH: exec: "python": executable file not found in $PATH', exit_code=64),
    "image-gone": failing("Pod failed before main container starts due to ErrImagePull: not found", "Error"),
    "connection-missing-failed": failing('Pod failed before main container starts due to CreateContainerConfigError: secret "connection-wine-data" not found', "Error"),
    "failed-no-message": failing(""),
    "account-missing": failed_workflow('error in entry template execution: pods "x" is forbidden: error looking up service account ml/trainer: serviceaccount "trainer" not found'),
    "accounts-missing": failed_workflow('serviceaccounts "trainer" not found'),
    "pod-security": failed_workflow('pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'),
    "claim-error": failed_workflow('pvc create error: persistentvolumeclaims "x" is forbidden'),
    "lock-error": failed_workflow("Failed to acquire the synchronization lock. invalid limit"),
    "unknown-error": failed_workflow("an unknown message"),
    "failed-no-cause": failed_workflow("", "Failed"),
    "two-steps-failed": with_second_failure(recording("train-failed"), "2026-11-23T20:29:20Z", "download-wine", "main: Error (exit code 1)"),
    "failed-and-lost": with_second_failure(recording("pod-deleted"), "2026-11-23T20:32:08Z", "download-wine", "main: Error (exit code 1)"),
    "cancelled-after-failure": with_second_failure(failing("main: Error (exit code 2): cancelled because step download-wine failed", exit_code=2),
        "2026-11-23T20:30:20Z", "download-wine", "main: Error (exit code 2): the bucket does not exist"),
    "failed-other-step-running": with_second_failure(recording("running-train"), "2026-11-23T20:29:37Z", "download-wine",
        "main: Error (exit code 2): the bucket does not exist"),
    "failed-other-step-pending": with_second_failure(pending("Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."), "2026-11-23T20:29:37Z", "download-wine", "main: Error (exit code 1)"),
    "continues-on-failure": continues_on_failure(),
    # Nodes that are not in the object.
    "compressed": without_nodes("oom", compressedNodes=compress(recording("oom")["status"]["nodes"])),
    "compressed-badly": without_nodes("running", compressedNodes="H4sIAAAA"),
    "offloaded-running": without_nodes("running", offloadNodeStatusVersion="fnv:1"),
    "offloaded-not-running": without_nodes("running-train-unschedulable", offloadNodeStatusVersion="fnv:1"),
    "offloaded-failed": without_nodes("oom", offloadNodeStatusVersion="fnv:1"),
    "offloaded-succeeded": without_nodes("succeeded", offloadNodeStatusVersion="fnv:1"),
    # Steps on the GPU pool, and workflows of other kinds.
    "gpu-running": on_gpu({"phase": "Running", "hostNodeName": "gpu-1"}),
    "gpu-second-attempt": on_gpu(LOST_ATTEMPT, {"phase": "Running", "hostNodeName": "gpu-2"}),
    "gpu-second-attempt-waits": on_gpu(LOST_ATTEMPT, {"phase": "Pending", "message": "Unschedulable: 0/9 nodes are available: 9 Insufficient nvidia.com/gpu."}),
    "gpu-between-attempts": on_gpu(LOST_ATTEMPT),
    "gpu-never-found": stopped_for_waiting({"phase": "Failed", "message": TERMINATED, "finishedAt": "2026-11-24T08:55:00Z"}),
    "gpu-found-but-not-started": stopped_for_waiting({"phase": "Failed", "message": TERMINATED, "hostNodeName": "gpu-1"}),
    "gpu-failed": on_gpu(LOST_ATTEMPT, {"phase": "Failed", "message": STEP_ERROR, "outputs": {"exitCode": "2"}, "hostNodeName": "gpu-1"},
        phase="Failed", step={"phase": "Failed", "message": "No more retries left"}),
    "retried": retried(),
    "by-template": by_template("running-train-unschedulable"),
    "by-template-timeout": by_template("train-pending-timeout"),
    "single-container": single_container(),
}  # fmt: skip
