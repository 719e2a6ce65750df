"""A Workflow to a training's status: pure, from one object, whatever its shape.

The state comes from the pod nodes, because Argo calls a workflow Running while nothing runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from odahu_argo import naming
from odahu_argo.status import rules
from odahu_argo.status.model import Artifacts, PodRun, State, Status, StepStatus
from odahu_argo.status.nodes import FAILED, Node, pod_name, results
from odahu_argo.status.rules import Words
from odahu_argo.status.snapshot import PENDING, RUNNING, SUCCEEDED, Outcome, Seen, see
from odahu_argo.status.steps import POD_STATES, Attempt, Step
from odahu_argo.status.unstructured import look, mapping, sequence, text, truth

CONTROLLER_HINT = "if it stays so, see that Argo's controller runs and watches this namespace: odahu-argo doctor"
Pod = tuple[Step, Node]
RESUME_HINT = "argo resume lets it go on, or kubectl patch with spec.suspend: false"


def not_seen_by_argo() -> Outcome:
    """A workflow without a status: it was just created, or no controller looks after it."""
    return Outcome("scheduling", Words("Created", "Argo has not begun with it yet", CONTROLLER_HINT))


def live(seen: Seen) -> Outcome:
    """Where a workflow is that Argo calls Running or Pending, with what has been asked of it meanwhile."""
    outcome = _from_conditions(seen) if seen.nodes.missing else _from_nodes(seen)
    if outcome.state == "failed":
        return outcome
    if since := text(seen.metadata.get("deletionTimestamp")):
        message = f"the workflow is being deleted, since {since}"
        return replace(outcome, words=Words("Deleting", message, ""))
    if seen.shutdown:
        message = "the training is being stopped; Argo has yet to end its pods"
        return replace(outcome, words=Words("Stopping", message, ""))
    if truth(seen.spec.get("suspend")) and outcome.state == "running":
        message = "; ".join(
            filter(None, [outcome.words.message, "the training is suspended: no other step will begin"])
        )
        return replace(outcome, words=Words("Suspended", message, RESUME_HINT))
    return outcome


def _from_conditions(seen: Seen) -> Outcome:
    """The nodes are elsewhere: only whether a pod runs can be told."""
    conditions = [mapping(each) for each in sequence(seen.status.get("conditions"))]
    if any(each.get("type") == "PodRunning" and each.get("status") == "True" for each in conditions):
        return Outcome("running", where_the_nodes_are(seen, "a step is running"))
    return Outcome("unknown", where_the_nodes_are(seen, f"Argo calls the workflow {seen.phase}"))


def _from_nodes(seen: Seen) -> Outcome:
    running = [pod for pod in seen.pods if pod[1].phase == RUNNING]
    if running:
        return _at_work(running)
    pending = [pod for pod in seen.pods if pod[1].phase in ("", PENDING)]
    if not pending and _can_only_fail(seen):
        return failed(seen)
    begun: State = "running" if any(node.has_run for _, node in seen.pods) else "scheduling"
    return _held_up(seen, pending) or _paused(seen) or _waiting(seen, pending, begun)


def _can_only_fail(seen: Seen) -> bool:
    """A step has failed for good, nothing else is at work, and the DAG does not go on after a failure."""
    trying = any(step.is_between_attempts for step in seen.steps)
    return bool(seen.failed_steps) and seen.intent.ends_with_failure and not trying


def _at_work(running: Sequence[Pod]) -> Outcome:
    steps = list(dict.fromkeys(step.name for step, _ in running))
    if len(steps) > 1:
        message = f"steps {', '.join(steps[:-1])} and {steps[-1]} are running"
    else:
        progress = running[0][1].progress
        message = f"step {steps[0]} is running" + (f", {progress:.0%} done" if progress else "")
    return Outcome("running", Words(message=message), step=steps[0])


def _held_up(seen: Seen, pending: Sequence[Pod]) -> Outcome | None:
    """What keeps the next pod, or the whole workflow, from beginning."""
    for step, node in pending:
        said = node.message or (f"Waiting for {node.lock} lock" if node.lock else "")
        if words := seen.teller.hold_up(said, step):
            return Outcome("scheduling", words, step=step.name)
    return None if pending or seen.phase != PENDING else Outcome("scheduling", seen.teller.hold_up_of_all(seen.message))


def _paused(seen: Seen) -> Outcome | None:
    heads = [step for step in seen.steps if step.head and step.head.type == "Suspend" and step.head.phase == RUNNING]
    asleep = any(node.type == "Suspend" and node.phase == RUNNING for node in seen.nodes.found)
    if not asleep and truth(seen.spec.get("suspend")) is not True:
        return None
    step = heads[0].name if heads else ""
    message = f"the training is suspended{f' at step {step}' if step else ''}: it waits to be resumed"
    return Outcome("scheduling", Words("Suspended", message, RESUME_HINT), step=step)


def _waiting(seen: Seen, pending: Sequence[Pod], begun: State) -> Outcome:
    """A short wait: for a pod that is starting, for another attempt, or for Argo to make the next pod."""
    if pending:
        step, _ = pending[0]
        return _wait(begun, step.name, f"waiting for the pod of step {step.name} to start")
    again = next((step for step in seen.steps if step.is_between_attempts), None)
    if again is not None:
        why = seen.teller.failure(again.said, again).message.partition("\n")[0]
        decision = f"waiting for Argo to try step {again.name} again or to give it up"
        return _wait(begun, again.name, f"{decision}; attempt {again.attempts[-1].number}: {why}")
    following = next((step for step in seen.steps if step.state(False) in ("waiting", "scheduling")), None)
    if following is not None:
        return _wait(begun, following.name, f"waiting for Argo to begin step {following.name}")
    message = "waiting for Argo to end the workflow" if seen.pods else "waiting for Argo to begin the first step"
    return Outcome(begun, Words("waiting for Argo", message))


def _wait(state: State, step: str, message: str) -> Outcome:
    return Outcome(state, Words(f"waiting for step {step}", message), step=step)


STOPPED = ("Stopped with strategy", "workflow shutdown with strategy")
SIGTERM = 143


def failed(seen: Seen) -> Outcome:
    """The cause of a failure. A workflow's own message counts where somebody stopped it or no step failed."""
    if seen.nodes.missing:
        return Outcome("failed", where_the_nodes_are(seen, "the training failed"))
    if not seen.failed_steps:
        cut_off = _cut_off(seen)
        if cut_off is None or not seen.message.startswith(STOPPED):
            return Outcome("failed", seen.teller.failure_of_all(seen.message or _said_by_the_whole(seen)))
        return Outcome("failed", seen.teller.failure(seen.message, cut_off), exit_code(cut_off), cut_off.name)
    step = seen.failed_steps[0]
    return Outcome("failed", seen.teller.failure(_said(seen, step), step), exit_code(step), step.name)


def where_the_nodes_are(seen: Seen, known: str) -> Words:
    """What can be said of a workflow whose nodes are not in its object."""
    said = f" ({seen.message})" if seen.message else ""
    if seen.nodes.missing == "offloaded":
        message = f"{known}{said}; its steps are in the database of Argo's controller, not in the object"
        return Words("NodesOffloaded", message, "name Argo Server in the profile (argo.url): it can read them")
    message = f"{known}{said}; its steps cannot be read: they are too many, or compressed otherwise than by gzip"
    return Words("NodesUnreadable", message, "look at it in Argo's UI, or by argo get")


def _said(seen: Seen, step: Step) -> str:
    if seen.message.startswith(STOPPED):
        return seen.message
    if seen.shutdown and exit_code(step) == SIGTERM:
        return f"{STOPPED[0]} '{seen.shutdown}'"
    return step.said


def _cut_off(seen: Seen) -> Step | None:
    """The step that was at work when the workflow was ended, where Argo left its node as it was."""
    return next((step for step in seen.steps if step.last and step.last.phase in ("Running", "Pending")), None)


def exit_code(step: Step) -> int | None:
    """The code that its last pod's message tells, else that of the main container; 0 is no cause of a failure."""
    told = rules.exit_code(step.said)
    return told or (step.last.exit_code if step.last else None) or None


def _said_by_the_whole(seen: Seen) -> str:
    return next((node.message for node in seen.nodes.found if node.message), "")


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
