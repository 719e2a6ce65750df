"""A Workflow to a training's status: pure, from one object, whatever its shape.

The state comes from the pod nodes, because Argo calls a workflow Running while nothing runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from odahu_argo import naming
from odahu_argo.status.ended import exit_code, failed
from odahu_argo.status.lenient import look, mapping, text
from odahu_argo.status.live import live, not_seen_by_argo
from odahu_argo.status.model import Artifacts, PodRun, Status, StepStatus
from odahu_argo.status.nodes import FAILED, pod_name, results
from odahu_argo.status.reasons import Words
from odahu_argo.status.seen import PENDING, RUNNING, SUCCEEDED, Outcome, Seen, see
from odahu_argo.status.steps import POD_STATES, Attempt, Step

NO_WARNINGS: Mapping[str, str] = MappingProxyType({})


def read_status(workflow: object, warnings: Mapping[str, str] = NO_WARNINGS) -> Status:
    """What became of the training that a Workflow carries out. Never raises; what cannot be told is `unknown`.

    `warnings` are what Kubernetes has last warned of pods, by their names: Argo does not tell why a pod that has a node does
    not start.

    States: `scheduling` while no pod has begun, or while nothing runs and the next pod is held up; `running` while a pod
    runs, and in the short waits between two; `succeeded` and `failed` when that is certain.
    """
    if not isinstance(workflow, Mapping):
        return Status(
            "unknown", "NotAWorkflow", "this is not a Workflow", "give the object as kubectl get -o json prints it"
        )
    seen = see(workflow, warnings)
    outcome = _outcome(seen, workflow.get("status"))
    has_ended = outcome.state in ("succeeded", "failed")
    return Status(
        state=outcome.state,
        reason=outcome.words.reason,
        message=outcome.words.message,
        hint=outcome.words.hint,
        exit_code=outcome.exit_code,
        step=outcome.step,
        started=text(seen.status.get("startedAt")),
        finished=text(seen.status.get("finishedAt")),
        artifacts=_artifacts(seen),
        steps=tuple(_step(seen, step, has_ended) for step in seen.steps),
        phase=seen.phase,
        workflow=text(seen.metadata.get("name")),
        offloaded=seen.nodes.missing == "offloaded",
    )


def _outcome(seen: Seen, status: object) -> Outcome:
    if status is None or status == {}:
        return not_seen_by_argo()
    if seen.phase == SUCCEEDED:
        return Outcome("succeeded", exit_code=0)
    if seen.phase in FAILED:
        return failed(seen)
    is_new = isinstance(status, Mapping) and status.get("phase") in (None, "")
    if seen.phase in (PENDING, RUNNING) or is_new:
        return live(seen)
    called = repr(seen.phase) if seen.phase else "something that is no phase"
    message = f"Argo calls the workflow {called}, which odahu-argo does not know"
    hint = "a newer odahu-argo may know it; kubectl get workflow -o yaml shows the object"
    return Outcome("unknown", Words("UnknownPhase", message, hint))


def _artifacts(seen: Seen) -> Artifacts:
    """Results of an earlier attempt's steps, then of pods in their order, then the workflow's own; the last one counts."""
    try:
        earlier = json.loads(text(look(seen.metadata, "annotations", naming.RESULTS_ANNOTATION)) or "{}")
    except (ValueError, RecursionError):
        earlier = {}
    known = {str(name): text(value) for name, value in mapping(earlier).items() if text(value)}
    for node in seen.nodes.found:
        if node.is_pod:
            known.update(node.results)
    known.update(results(look(seen.status, "outputs", "parameters")))
    return Artifacts(
        run_id=known.get("run-id", ""),
        artifact_name=known.get("artifact-name", ""),
        commit_id=known.get("commit-id", ""),
    )


def _step(seen: Seen, step: Step, has_ended: bool) -> StepStatus:
    state = "unknown" if seen.nodes.missing else step.state(has_ended)
    node, last = step.head or step.last, step.last
    return StepStatus(
        name=step.name,
        state=state,
        message=_message(seen, step, step.said) if state in ("failed", "scheduling") else "",
        exit_code=exit_code(step) if state == "failed" else last.exit_code if last else None,
        started=node.started if node else "",
        finished=node.finished if node else "",
        progress=1.0 if state == "succeeded" else last.progress if last else None,
        runs=tuple(_pod_run(seen, step, attempt) for attempt in step.attempts),
        needs=seen.intent.after.get(step.name, ()),
    )


def _pod_run(seen: Seen, step: Step, attempt: Attempt) -> PodRun:
    node = attempt.node
    return PodRun(
        node_id=node.id,
        attempt=attempt.number,
        state=POD_STATES.get(node.phase, "unknown"),
        message=_message(seen, step, node.message) if node.phase in FAILED else node.message,
        exit_code=node.exit_code,
        started=node.started,
        finished=node.finished,
        archived_log=node.log,
        pod=pod_name(seen.metadata, node),
    )


def _message(seen: Seen, step: Step, said: str) -> str:
    """What was said of a pod, in plain words."""
    if step.last is not None and step.last.phase in FAILED:
        return seen.teller.failure(said, step).message
    words = seen.teller.hold_up(said, step)
    return words.message if words else ""
