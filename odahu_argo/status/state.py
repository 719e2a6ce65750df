"""Status of a training from its Workflow object: a pure function that accepts objects of any shape.

The state comes from the pod nodes, because Argo reports a workflow as Running while no pod runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from odahu_argo import naming
from odahu_argo.status import rules
from odahu_argo.status.model import ENDED, Artifacts, PodRun, QueuePlace, State, Status, StepStatus
from odahu_argo.status.nodes import FAILED, Node, pod_name, read_results
from odahu_argo.status.queues import QueuedPod
from odahu_argo.status.rules import Explanation
from odahu_argo.status.snapshot import NO_QUEUED_PODS, PENDING, RUNNING, SUCCEEDED, Snapshot, take_snapshot
from odahu_argo.status.steps import POD_STATES, PodAttempt, StepNodes
from odahu_argo.status.unstructured import boolean, get_path, mapping, sequence, text

CONTROLLER_HINT = "if this persists, check that Argo's controller runs and watches this namespace: odahu-argo doctor"
RESUME_HINT = "resume it with argo resume, or set spec.suspend to false with kubectl patch"
SHUTDOWN_MESSAGES = ("Stopped with strategy", "workflow shutdown with strategy")
_STOPPED_MESSAGES = {naming.STOPPED_WAITING: "timeout", naming.STOPPED_IN_QUEUE: "queue timeout"}
"""Messages for the runs that the recorder stops. The first is also Argo's if its own `pendingTimeout` has passed."""
_STOPPED_CAUSES = {
    _STOPPED_MESSAGES[naming.STOPPED_WAITING]: ", because a pod waited too long for a node",
    _STOPPED_MESSAGES[naming.STOPPED_IN_QUEUE]: ", because it waited too long in its queue",
}
SIGTERM_EXIT_CODE = 143
NO_WARNINGS: Mapping[str, str] = MappingProxyType({})
NO_EXPLANATION = Explanation()


@dataclass(frozen=True, slots=True)
class Outcome:
    """State of a training with its explanation."""

    state: State
    explanation: Explanation = NO_EXPLANATION
    exit_code: int | None = None
    step: str = ""


def read_status(
    workflow: object,
    warnings: Mapping[str, str] = NO_WARNINGS,
    queued: Mapping[str, QueuedPod] = NO_QUEUED_PODS,
) -> Status:
    """Return the status of the training that a Workflow runs. Never raises; an undeterminable state is `unknown`.

    `warnings` maps pod names to the latest Kubernetes warning: Argo does not report why a scheduled pod fails to start.
    `queued` maps names of pods that a queue holds to the reason, which Argo does not report either.

    States: `scheduling` until the first pod starts, or while nothing runs and the next pod cannot start; `running` while a
    pod runs, and in the short gaps between pods; `succeeded` and `failed` once that is certain.
    """
    if not isinstance(workflow, Mapping):
        hint = "pass the object that kubectl get workflow -o json prints"
        return Status("unknown", "NotAWorkflow", "the value is not a Workflow object", hint)
    snapshot = take_snapshot(workflow, warnings, queued)
    outcome = _outcome(snapshot, workflow.get("status"))
    has_ended = outcome.state in ENDED
    return Status(
        state=outcome.state,
        reason=outcome.explanation.reason,
        message=outcome.explanation.message,
        hint=outcome.explanation.hint,
        exit_code=outcome.exit_code,
        step=outcome.step,
        started=text(snapshot.raw_status.get("startedAt")),
        finished=text(snapshot.raw_status.get("finishedAt")),
        artifacts=_artifacts(snapshot),
        steps=tuple(_step_status(snapshot, step, has_ended) for step in snapshot.steps),
        phase=snapshot.phase,
        workflow=text(snapshot.metadata.get("name")),
        offloaded=snapshot.nodes.missing == "offloaded",
        queue=_queue_place(snapshot) if outcome.state == "scheduling" else None,
    )


def _queue_place(snapshot: Snapshot) -> QueuePlace | None:
    places = (snapshot.diagnosis.queued.get(node.id) for _, node in snapshot.pods if node.phase in ("", PENDING))
    return next((queued.place for queued in places if queued), None)


def _outcome(snapshot: Snapshot, raw_status: object) -> Outcome:
    if raw_status is None or raw_status == {}:
        return Outcome("scheduling", Explanation("Created", "Argo has not processed the workflow yet", CONTROLLER_HINT))
    if snapshot.phase == SUCCEEDED:
        return Outcome("succeeded", exit_code=0)
    if snapshot.phase in FAILED:
        return _failed(snapshot)
    is_new = isinstance(raw_status, Mapping) and raw_status.get("phase") in (None, "")
    if snapshot.phase in (PENDING, RUNNING) or is_new:
        return _active(snapshot)
    phase = f"the workflow's phase {snapshot.phase!r}" if snapshot.phase else "the workflow's phase, which is not text,"
    hint = "upgrade odahu-argo, or inspect the object with kubectl get workflow -o yaml"
    return Outcome("unknown", Explanation("UnknownPhase", f"{phase} is unknown to odahu-argo", hint))


def _active(snapshot: Snapshot) -> Outcome:
    """Return the outcome of a pending or running workflow, considering deletion, shutdown and suspension."""
    outcome = _from_conditions(snapshot) if snapshot.nodes.missing else _from_nodes(snapshot)
    if outcome.state == "failed":
        return outcome
    if deletion_time := text(snapshot.metadata.get("deletionTimestamp")):
        message = f"the workflow has been marked for deletion since {deletion_time}"
        return replace(outcome, explanation=Explanation("Deleting", message))
    if snapshot.shutdown:
        cause = _STOPPED_CAUSES.get(_limit_message(snapshot), "")
        message = f"the training is stopping{cause}: Argo is terminating its pods"
        return replace(outcome, explanation=Explanation("Stopping", message))
    if boolean(snapshot.raw_spec.get("suspend")) and outcome.state == "running":
        suspended = "the training is suspended: no further step will start"
        message = "; ".join(filter(None, [outcome.explanation.message, suspended]))
        return replace(outcome, explanation=Explanation("Suspended", message, RESUME_HINT))
    return outcome


def _from_conditions(snapshot: Snapshot) -> Outcome:
    """Return the outcome of a workflow without nodes: its conditions only report whether a pod runs."""
    conditions = map(mapping, sequence(snapshot.raw_status.get("conditions")))
    if any(condition.get("type") == "PodRunning" and condition.get("status") == "True" for condition in conditions):
        return Outcome("running", _missing_nodes(snapshot, "a step is running"))
    return Outcome("unknown", _missing_nodes(snapshot, f"the workflow's phase is {snapshot.phase or 'not set'}"))


def _from_nodes(snapshot: Snapshot) -> Outcome:
    running = [(step, node) for step, node in snapshot.pods if node.phase == RUNNING]
    if running:
        return _running(snapshot, running)
    pending = [(step, node) for step, node in snapshot.pods if node.phase in ("", PENDING)]
    if not pending and _failure_is_final(snapshot):
        return _failed(snapshot)
    state: State = "running" if any(node.has_started for _, node in snapshot.pods) else "scheduling"
    return _blocked(snapshot, pending) or _suspended(snapshot) or _waiting(snapshot, pending, state)


def _failure_is_final(snapshot: Snapshot) -> bool:
    """Whether a step has failed, no step will be retried, and the DAG stops on failure."""
    retrying = any(step.is_between_attempts for step in snapshot.steps)
    return bool(snapshot.failed_steps) and snapshot.spec.stops_on_failure and not retrying


def _running(snapshot: Snapshot, running: Sequence[tuple[StepNodes, Node]]) -> Outcome:
    steps = list(dict.fromkeys(step.name for step, _ in running))
    names = f"steps {', '.join(steps[:-1])} and {steps[-1]} are" if len(steps) > 1 else f"step {steps[0]} is"
    if snapshot.failed_steps and snapshot.spec.requires_all:
        failed = snapshot.failed_steps[0]
        cause = snapshot.diagnosis.explain_failed_step(failed.message, failed)
        message = f"step {failed.name} has failed: {_first_line(cause.message)}; {names} still running"
        return Outcome("running", Explanation(cause.reason, message, cause.hint), step=failed.name)
    progress = running[0][1].progress if len(steps) == 1 else None
    message = f"{names} running" + (f", {progress:.0%} done" if progress else "")
    return Outcome("running", Explanation(message=message), step=steps[0])


def _blocked(snapshot: Snapshot, pending: Sequence[tuple[StepNodes, Node]]) -> Outcome | None:
    """Return what keeps the next pod, or the whole workflow, from starting."""
    for step, node in pending:
        message = node.message or (f"Waiting for {node.lock} lock" if node.lock else "")
        if explanation := snapshot.diagnosis.explain_pending_pod(message, step):
            return Outcome("scheduling", explanation, step=step.name)
    if pending or snapshot.phase != PENDING:
        return None
    return Outcome("scheduling", snapshot.diagnosis.explain_pending_workflow(snapshot.message))


def _suspended(snapshot: Snapshot) -> Outcome | None:
    suspended = [node for node in snapshot.nodes.items if node.type == "Suspend" and node.phase == RUNNING]
    if not suspended and boolean(snapshot.raw_spec.get("suspend")) is not True:
        return None
    step = next((step.name for step in snapshot.steps if step.node in suspended), "")
    message = f"the training is suspended{f' at step {step}' if step else ''}"
    return Outcome("scheduling", Explanation("Suspended", message, RESUME_HINT), step=step)


def _waiting(snapshot: Snapshot, pending: Sequence[tuple[StepNodes, Node]], state: State) -> Outcome:
    """Return a short wait: for a pod that is starting, for another attempt, or for Argo to create the next pod."""
    if pending:
        step, _ = pending[0]
        return _waiting_for_step(state, step.name, f"waiting for the pod of step {step.name} to start")
    failed = next((step for step in snapshot.steps if step.is_between_attempts), None)
    if failed is not None:
        cause = _first_line(snapshot.diagnosis.explain_failed_step(failed.message, failed).message)
        message = f"waiting for Argo to retry or fail step {failed.name}; attempt {failed.attempts[-1].number}: {cause}"
        return _waiting_for_step(state, failed.name, message)
    following = next((step for step in snapshot.steps if step.state(False) in ("waiting", "scheduling")), None)
    if following is not None:
        return _waiting_for_step(state, following.name, f"waiting for Argo to start step {following.name}")
    event = "finish the workflow" if snapshot.pods else "start the first step"
    return Outcome(state, Explanation("waiting for Argo", f"waiting for Argo to {event}"))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _waiting_for_step(state: State, step: str, message: str) -> Outcome:
    return Outcome(state, Explanation(f"waiting for step {step}", message), step=step)


def _failed(snapshot: Snapshot) -> Outcome:
    """Return the cause of a failure. The workflow's own message counts after a shutdown, or if no step failed."""
    if snapshot.nodes.missing:
        return Outcome("failed", _missing_nodes(snapshot, "the training failed"))
    diagnosis = snapshot.diagnosis
    if snapshot.failed_steps:
        step = snapshot.failed_steps[0]
        explanation = diagnosis.explain_failed_step(_failure_message(snapshot, step), step)
        return Outcome("failed", explanation, _exit_code(step), step.name)
    # Argo leaves the node of a step that a shutdown interrupted in its last phase.
    interrupted = next(
        (step for step in snapshot.steps if step.last_pod and step.last_pod.phase in (RUNNING, PENDING)), None
    )
    if interrupted is not None and snapshot.message.startswith(SHUTDOWN_MESSAGES):
        message = _limit_message(snapshot) or snapshot.message
        explanation = diagnosis.explain_failed_step(message, interrupted)
        return Outcome("failed", explanation, _exit_code(interrupted), interrupted.name)
    message = snapshot.message or next((node.message for node in snapshot.nodes.items if node.message), "")
    return Outcome("failed", diagnosis.explain_failed_workflow(message))


def _failure_message(snapshot: Snapshot, step: StepNodes) -> str:
    if message := _limit_message(snapshot):
        return message
    if snapshot.message.startswith(SHUTDOWN_MESSAGES):
        return snapshot.message
    if snapshot.shutdown and _exit_code(step) == SIGTERM_EXIT_CODE:
        return f"{SHUTDOWN_MESSAGES[0]} '{snapshot.shutdown}'"
    return step.message


def _limit_message(snapshot: Snapshot) -> str:
    """Return the message of the limit because of which the recorder stopped the run; empty without one."""
    cause = text(get_path(snapshot.metadata, "annotations", naming.STOPPED_ANNOTATION))
    return _STOPPED_MESSAGES.get(cause, "") if snapshot.shutdown else ""


def _exit_code(step: StepNodes) -> int | None:
    """Return the exit code in the last pod's message, else that of the main container; 0 is never a cause of failure."""
    code = rules.exit_code(step.message)
    return code or (step.last_pod.exit_code if step.last_pod else None) or None


def _missing_nodes(snapshot: Snapshot, finding: str) -> Explanation:
    """Explain a workflow whose nodes are not in its object; `finding` is what its other fields reveal."""
    quote = f" ({snapshot.message})" if snapshot.message else ""
    if snapshot.nodes.missing == "offloaded":
        message = f"{finding}{quote}; Argo keeps the steps in its database, not in the Workflow object"
        return Explanation("NodesOffloaded", message, "set argo.url in the profile: Argo Server can read them")
    message = f"{finding}{quote}; the steps cannot be read: there are too many, or their compression is invalid"
    return Explanation("NodesUnreadable", message, "open the workflow in Argo's UI, or run argo get")


def _artifacts(snapshot: Snapshot) -> Artifacts:
    """Merge results of an earlier run's steps, then of pods in order, then of the workflow; the last value wins.

    An artifact name counts only if the step that reports it has finished, because its file may exist before the upload.
    """
    try:
        annotation = text(get_path(snapshot.metadata, "annotations", naming.RESULTS_ANNOTATION))
        earlier_results = json.loads(annotation or "{}")
    except (ValueError, RecursionError):
        earlier_results = {}
    results = {str(name): text(value) for name, value in mapping(earlier_results).items() if text(value)}
    pods = [node for node in snapshot.nodes.items if node.is_pod]
    for node in pods:
        results.update(node.results)
    results.update(read_results(get_path(snapshot.raw_status, "outputs", "parameters")))
    is_uploaded = snapshot.phase == SUCCEEDED or any(
        "artifact-name" in node.results and (node.phase == SUCCEEDED or node.exit_code == 0) for node in pods
    )
    return Artifacts(
        run_id=results.get("run-id", ""),
        artifact_name=results.get("artifact-name", "") if is_uploaded else "",
        commit_id=results.get("commit-id", ""),
    )


def _step_status(snapshot: Snapshot, step: StepNodes, has_ended: bool) -> StepStatus:
    state = "unknown" if snapshot.nodes.missing else step.state(has_ended)
    node, pod = step.node or step.last_pod, step.last_pod
    return StepStatus(
        name=step.name,
        state=state,
        message=_explain(snapshot, step, step.message) if state in ("failed", "scheduling") else "",
        exit_code=_exit_code(step) if state == "failed" else pod.exit_code if pod else None,
        started=node.started if node else "",
        finished=node.finished if node else "",
        progress=1.0 if state == "succeeded" else pod.progress if pod else None,
        runs=tuple(_pod_run(snapshot, step, attempt) for attempt in step.attempts),
        needs=snapshot.spec.needs.get(step.name, ()),
    )


def _pod_run(snapshot: Snapshot, step: StepNodes, attempt: PodAttempt) -> PodRun:
    node = attempt.node
    return PodRun(
        node_id=node.id,
        attempt=attempt.number,
        state=POD_STATES.get(node.phase, "unknown"),
        message=_explain(snapshot, step, node.message) if node.phase in FAILED else node.message,
        exit_code=node.exit_code,
        started=node.started,
        finished=node.finished,
        archived_log=node.log,
        pod=pod_name(snapshot.metadata, node),
    )


def _explain(snapshot: Snapshot, step: StepNodes, message: str) -> str:
    """Return the plain explanation of a pod's message."""
    if step.last_pod is not None and step.last_pod.phase in FAILED:
        return snapshot.diagnosis.explain_failed_step(message, step).message
    explanation = snapshot.diagnosis.explain_pending_pod(message, step)
    return explanation.message if explanation else ""
