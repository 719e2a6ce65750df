"""What goes on in a workflow that has not ended: what runs, what is waited for, and what holds it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from odahu_argo.status.ended import failed, where_the_nodes_are
from odahu_argo.status.lenient import mapping, sequence, text, truth
from odahu_argo.status.model import State
from odahu_argo.status.nodes import Node
from odahu_argo.status.reasons import Words
from odahu_argo.status.seen import PENDING, RUNNING, Outcome, Seen
from odahu_argo.status.steps import Step

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
