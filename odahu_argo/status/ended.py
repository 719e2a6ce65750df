"""Why a workflow failed: the step that failed first, and what its last pod says."""

from __future__ import annotations

from odahu_argo.status import reasons
from odahu_argo.status.reasons import Words
from odahu_argo.status.seen import Outcome, Seen
from odahu_argo.status.steps import Step

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
    told = reasons.exit_code(step.said)
    return told or (step.last.exit_code if step.last else None) or None


def _said_by_the_whole(seen: Seen) -> str:
    return next((node.message for node in seen.nodes.found if node.message), "")
