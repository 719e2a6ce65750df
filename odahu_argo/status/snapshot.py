"""One Workflow as it was seen: what its object says, gathered once and read leniently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo import naming
from odahu_argo.status.diagnosis import Teller
from odahu_argo.status.model import State
from odahu_argo.status.nodes import Node, Nodes, pod_name, read_nodes
from odahu_argo.status.pending_rules import STARTING
from odahu_argo.status.rules import SILENCE, Words
from odahu_argo.status.steps import Step, read_steps
from odahu_argo.status.unstructured import look, mapping, sequence, text
from odahu_argo.status.workflow import Intent, read_intent

PENDING, RUNNING, SUCCEEDED = "Pending", "Running", "Succeeded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a training is, and why."""

    state: State
    words: Words = SILENCE
    exit_code: int | None = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A Workflow's object. `phase` is empty before Argo has looked at it, `message` the workflow's own."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    phase: str
    message: str
    nodes: Nodes
    intent: Intent
    steps: tuple[Step, ...]
    teller: Teller

    @property
    def pods(self) -> list[tuple[Step, Node]]:
        """Every node that does work, with its step."""
        return [(step, attempt.node) for step in self.steps for attempt in step.attempts]

    @property
    def failed_steps(self) -> tuple[Step, ...]:
        """Those that failed for good, the first to fail first."""
        gone = [step for step in self.steps if step.has_failed]
        return tuple(sorted(gone, key=lambda step: (step.last.finished if step.last else "") or "~"))

    @property
    def shutdown(self) -> str:
        """`Stop` or `Terminate`, where somebody has asked for it."""
        return text(self.spec.get("shutdown"))


def see(workflow: Mapping[str, Any], warnings: Mapping[str, str]) -> Seen:
    """What an object says, and of pods that are starting what Kubernetes has warned of, by their names. Never raises."""
    metadata, status = mapping(workflow.get("metadata")), mapping(workflow.get("status"))
    nodes, intent = read_nodes(status), read_intent(workflow)
    if warnings:
        told = tuple(_warned(node, warnings.get(pod_name(metadata, node))) for node in nodes.found)
        nodes = replace(nodes, found=told)
    name = text(metadata.get("name"))
    return Seen(
        metadata=metadata,
        spec=mapping(workflow.get("spec")),
        status=status,
        phase=text(status.get("phase")),
        message=text(status.get("message")),
        nodes=nodes,
        intent=intent,
        steps=read_steps(nodes.found, intent.tasks, name),
        teller=Teller(
            training=training_id(workflow),
            intent=intent,
            started=text(status.get("startedAt")),
            holder=_holder(status),
        ),
    )


def _warned(node: Node, warning: str | None) -> Node:
    is_starting = node.is_pod and node.phase in ("", PENDING) and STARTING.fullmatch(node.message)
    return replace(node, message=warning) if warning and is_starting else node


def training_id(workflow: object) -> str:
    """The training that a workflow is of; of one that odahu-argo has not made, its name."""
    label = text(look(workflow, "metadata", "labels", naming.TRAINING_ID_LABEL))
    return label or text(look(workflow, "metadata", "name"))


def _holder(status: Mapping[str, Any]) -> str:
    """Who holds the lock that is waited for: a workflow, without its namespace."""
    kinds = mapping(status.get("synchronization")).values()
    waiting = [each for kind in kinds for each in sequence(look(kind, "waiting"))]
    named = [look(each, "holder") or look(each, "holders") for each in waiting]
    holders = [text(name) for one in named for name in (sequence(one) or [one])]
    return ", ".join(holder.rpartition("/")[2] for holder in holders if holder)
