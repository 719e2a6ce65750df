"""One state of a Workflow object, parsed once and leniently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from odahu_argo import naming
from odahu_argo.status.diagnosis import Diagnosis
from odahu_argo.status.nodes import Node, NodeList, pod_name, read_nodes
from odahu_argo.status.pending_rules import NORMAL_START
from odahu_argo.status.queues import QueuedPod
from odahu_argo.status.steps import StepNodes, group_by_step
from odahu_argo.status.unstructured import get_path, mapping, sequence, text
from odahu_argo.status.workflow import WorkflowSpec, read_spec

NO_QUEUED_PODS: Mapping[str, QueuedPod] = MappingProxyType({})
PENDING, RUNNING, SUCCEEDED = "Pending", "Running", "Succeeded"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Parsed Workflow object. `phase` is empty until Argo has processed it; `message` is the workflow's own."""

    metadata: Mapping[str, Any]
    raw_spec: Mapping[str, Any]
    raw_status: Mapping[str, Any]
    phase: str
    message: str
    nodes: NodeList
    spec: WorkflowSpec
    steps: tuple[StepNodes, ...]
    diagnosis: Diagnosis

    @property
    def pods(self) -> list[tuple[StepNodes, Node]]:
        """Every pod node with its step."""
        return [(step, attempt.node) for step in self.steps for attempt in step.attempts]

    @property
    def failed_steps(self) -> tuple[StepNodes, ...]:
        """Failed steps in order of failure. Steps that were cancelled because of another one are last."""
        failed = [step for step in self.steps if step.has_failed]
        return tuple(sorted(failed, key=lambda step: (step.is_cancelled, _finished(step))))

    @property
    def shutdown(self) -> str:
        """Requested shutdown strategy, `Stop` or `Terminate`, if any."""
        return text(self.raw_spec.get("shutdown"))


def take_snapshot(
    workflow: Mapping[str, Any], warnings: Mapping[str, str], queued: Mapping[str, QueuedPod] = NO_QUEUED_PODS
) -> Snapshot:
    """Parse a Workflow object. Never raises.

    `warnings` maps pod names to the latest Kubernetes warning; they replace the messages of pods that are starting.
    `queued` contains pods that a queue holds by name.
    """
    metadata, status = mapping(workflow.get("metadata")), mapping(workflow.get("status"))
    nodes, spec = read_nodes(status), read_spec(workflow)
    if warnings:
        items = tuple(_with_warning(node, warnings.get(pod_name(metadata, node))) for node in nodes.items)
        nodes = replace(nodes, items=items)
    return Snapshot(
        metadata=metadata,
        raw_spec=mapping(workflow.get("spec")),
        raw_status=status,
        phase=text(status.get("phase")),
        message=text(status.get("message")),
        nodes=nodes,
        spec=spec,
        steps=group_by_step(nodes.items, spec.tasks, text(metadata.get("name"))),
        diagnosis=Diagnosis(
            training=training_id(workflow),
            spec=spec,
            started=text(status.get("startedAt")),
            lock_holder=_lock_holder(status),
            queued={node.id: queued[name] for node in nodes.items if (name := pod_name(metadata, node)) in queued}
            if queued
            else {},
        ),
    )


def _finished(step: StepNodes) -> str:
    return (step.last_pod.finished if step.last_pod else "") or "~"


def training_id(workflow: object) -> str:
    """Return the training ID of a Workflow; the Workflow's name if odahu-argo did not create it."""
    label = text(get_path(workflow, "metadata", "labels", naming.TRAINING_ID_LABEL))
    return label or text(get_path(workflow, "metadata", "name"))


def _with_warning(node: Node, warning: str | None) -> Node:
    is_starting = node.is_pod and node.phase in ("", PENDING) and NORMAL_START.fullmatch(node.message)
    return replace(node, message=warning) if warning and is_starting else node


def _lock_holder(status: Mapping[str, Any]) -> str:
    """Return the names of the workflows that hold the locks this one waits for, without their namespaces."""
    kinds = mapping(status.get("synchronization")).values()
    locks = [lock for kind in kinds for lock in sequence(get_path(kind, "waiting"))]
    values = [get_path(lock, "holder") or get_path(lock, "holders") for lock in locks]
    holders = [text(name) for value in values for name in (sequence(value) or [value])]
    return ", ".join(holder.rpartition("/")[2] for holder in holders if holder)
