"""The nodes of a Workflow, step by step: which pods are whose attempts.

Argo names nodes by their path: `wine-1.train` is the step, `wine-1.train(0)` its first attempt, and `wine-1.train(0).attempt`
the pod of that attempt where a DAG stands between (see `compile/steps.py`); a `steps` template adds `[0]` for its groups.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from odahu_argo.status.model import StepState
from odahu_argo.status.nodes import FAILED, SKIPPED, Node

_PATH = re.compile(r"(?:\[\d+\]\.?)*(?P<step>[^.(\[\]]+)(?P<attempt>\(\d{1,9})?(?P<below>.*)", re.DOTALL)

POD_STATES: dict[str, StepState] = {
    "": "scheduling",
    "Pending": "scheduling",
    "Running": "running",
    "Succeeded": "succeeded",
    **dict.fromkeys(FAILED, "failed"),
    **dict.fromkeys(SKIPPED, "skipped"),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pod of a step, and which attempt it is, from 1."""

    number: int
    node: Node


@dataclass(frozen=True, slots=True)
class Step:
    """A step with its own node, which there is from its turn on, and its pods in the order of their attempts."""

    name: str
    head: Node | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Node | None:
        """The pod of the last attempt."""
        return self.attempts[-1].node if self.attempts else None

    @property
    def said(self) -> str:
        """What Argo says of how it ended. After retries the step's own node only repeats it."""
        said = self.last.message if self.last and self.last.phase not in ("Succeeded", "Running") else ""
        return said or (self.head.message if self.head else "")

    @property
    def has_failed(self) -> bool:
        """Whether it failed for good: a failed attempt may be followed by another."""
        return self.head is not None and self.head.phase in FAILED

    @property
    def is_between_attempts(self) -> bool:
        """Whether an attempt has failed and another may come."""
        return self.last is not None and self.last.phase in FAILED and not self.has_failed

    def state(self, has_ended: bool) -> StepState:
        """Its state in a workflow that has ended or has not."""
        node = self.head or self.last
        if node is None:
            return "skipped" if has_ended else "waiting"
        state = POD_STATES.get(node.phase, "unknown")
        if state == "running" and self.last is not None and self.last.phase != "Running":
            state = "scheduling"
        return "unknown" if has_ended and state in ("scheduling", "running") else state


def read_steps(found: Sequence[Node], tasks: Sequence[str], workflow: str) -> tuple[Step, ...]:
    """Every step of the workflow: those it was meant to have in their order, then others that have nodes."""
    root = workflow or min((node.name for node in found), key=len, default="")
    heads: dict[str, Node] = {}
    attempts: dict[str, list[Attempt]] = {}
    for node in found:
        place = _PATH.fullmatch(node.name.removeprefix(root).removeprefix("."))
        if place is None and not node.is_pod:
            continue
        name = place["step"] if place else node.template or "main"
        if place is None or not (place["attempt"] or place["below"]):
            heads.setdefault(name, node)
        if node.is_pod:
            number = int(place["attempt"][1:]) + 1 if place and place["attempt"] else 1
            attempts.setdefault(name, []).append(Attempt(number, node))
    names = dict.fromkeys([*tasks, *heads, *attempts])
    return tuple(Step(name, heads.get(name), _in_order(attempts.get(name, []))) for name in names)


def _in_order(attempts: list[Attempt]) -> tuple[Attempt, ...]:
    return tuple(sorted(attempts, key=lambda attempt: (attempt.number, attempt.node.started)))
