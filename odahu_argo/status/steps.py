"""Nodes of a Workflow grouped by step and attempt.

Argo names nodes by path: `wine-1.train` is the step, `wine-1.train(0)` its first attempt, and `wine-1.train(0).attempt` the
pod of that attempt if a DAG wraps it (see `compile/steps.py`). A `steps` template adds `[0]` for its groups.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from odahu_argo.contract import CANCELLED
from odahu_argo.status.model import StepState
from odahu_argo.status.nodes import FAILED, SKIPPED, Node

_NODE_PATH = re.compile(r"(?:\[\d+\]\.?)*(?P<step>[^.(\[\]]+)(?P<attempt>\(\d{1,9})?(?P<rest>.*)", re.DOTALL)

POD_STATES: dict[str, StepState] = {
    "": "scheduling",
    "Pending": "scheduling",
    "Running": "running",
    "Succeeded": "succeeded",
    **dict.fromkeys(FAILED, "failed"),
    **dict.fromkeys(SKIPPED, "skipped"),
}
"""Step states by the phase of a node."""


@dataclass(frozen=True, slots=True)
class PodAttempt:
    """Pod node of a step and the number of its attempt, from 1."""

    number: int
    node: Node


@dataclass(frozen=True, slots=True)
class StepNodes:
    """Nodes of one step: its own node, which exists once the step's dependencies are met, and its pods by attempt."""

    name: str
    node: Node | None = None
    attempts: tuple[PodAttempt, ...] = ()

    @property
    def last_pod(self) -> Node | None:
        """Pod node of the last attempt."""
        return self.attempts[-1].node if self.attempts else None

    @property
    def message(self) -> str:
        """Argo's message about how the step ended. After retries the step's own node only repeats the pod's message."""
        last = self.last_pod
        pod_message = last.message if last and last.phase not in ("Succeeded", "Running") else ""
        return pod_message or (self.node.message if self.node else "")

    @property
    def has_failed(self) -> bool:
        """Whether the step has failed, with no attempts left."""
        return self.node is not None and self.node.phase in FAILED

    @property
    def is_cancelled(self) -> bool:
        """Whether the step ended because another step had failed."""
        return CANCELLED in self.message

    @property
    def is_between_attempts(self) -> bool:
        """Whether the last attempt has failed and Argo may start another."""
        return self.last_pod is not None and self.last_pod.phase in FAILED and not self.has_failed

    def state(self, workflow_has_ended: bool) -> StepState:
        """Return the step's state in a workflow that has ended or not."""
        node = self.node or self.last_pod
        if node is None:
            return "skipped" if workflow_has_ended else "waiting"
        state = POD_STATES.get(node.phase, "unknown")
        if state == "running" and self.last_pod is not None and self.last_pod.phase != "Running":
            state = "scheduling"
        return "unknown" if workflow_has_ended and state in ("scheduling", "running") else state


def group_by_step(nodes: Sequence[Node], tasks: Sequence[str], workflow: str) -> tuple[StepNodes, ...]:
    """Group nodes by step: the workflow's tasks in their order, then other steps that have nodes."""
    root = workflow or min((node.name for node in nodes), key=len, default="")
    step_nodes: dict[str, Node] = {}
    attempts: dict[str, list[PodAttempt]] = {}
    for node in nodes:
        path = _NODE_PATH.fullmatch(node.name.removeprefix(root).removeprefix("."))
        if path is None and not node.is_pod:
            continue
        name = path["step"] if path else node.template or "main"
        if path is None or not (path["attempt"] or path["rest"]):
            step_nodes.setdefault(name, node)
        if node.is_pod:
            number = int(path["attempt"][1:]) + 1 if path and path["attempt"] else 1
            attempts.setdefault(name, []).append(PodAttempt(number, node))
    names = dict.fromkeys([*tasks, *step_nodes, *attempts])
    return tuple(StepNodes(name, step_nodes.get(name), _sorted(attempts.get(name, []))) for name in names)


def _sorted(attempts: list[PodAttempt]) -> tuple[PodAttempt, ...]:
    return tuple(sorted(attempts, key=lambda attempt: (attempt.number, attempt.node.started)))
