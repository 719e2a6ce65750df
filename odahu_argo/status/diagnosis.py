"""Explanations of one workflow's messages, from the rule tables and facts of the workflow's specification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from odahu_argo import naming
from odahu_argo.status import failure_rules, pending_rules, rules
from odahu_argo.status.queues import QueuedPod
from odahu_argo.status.rules import Explanation
from odahu_argo.status.steps import StepNodes
from odahu_argo.status.unstructured import get_path, integer, text
from odahu_argo.status.workflow import WorkflowSpec

CONTROLLER_LOG_HINT = "check kubectl get workflow -o yaml and the log of Argo's controller"
_QUANTITY = re.compile(r"(?P<number>\d{1,6}(\.\d{1,3})?)(?P<unit>[A-Za-z]{0,2})")
STEP_KINDS = ("checkout", "download", "train", "package")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Explains messages about one workflow.

    `started` is the workflow's start time; `lock_holder` is the run that holds the lock the workflow waits for. `queued`
    contains the pods that a queue holds, by node ID.
    """

    training: str
    spec: WorkflowSpec
    started: str = ""
    lock_holder: str = ""
    queued: Mapping[str, QueuedPod] = field(default_factory=dict)

    def explain_pending_pod(self, message: str, step: StepNodes) -> Explanation | None:
        """Explain why a pod does not start; None if it has no message or is starting normally."""
        if pending_rules.NORMAL_START.fullmatch(message):
            queued = self.queued.get(step.last_pod.id) if step.last_pod else None
            return queued.explanation if queued else None
        return rules.explain(pending_rules.PENDING_RULES, message, self._facts(step))

    def explain_pending_workflow(self, message: str) -> Explanation:
        """Explain why a workflow does not start."""
        explanation = rules.explain(pending_rules.PENDING_RULES, message, self._facts(StepNodes("")))
        quote = f" ({message})" if message else ""
        return explanation or Explanation("Pending", f"Argo has not started the workflow{quote}")

    def explain_failed_step(self, message: str, step: StepNodes) -> Explanation:
        """Explain why a step failed. The step's own error message takes precedence."""
        facts = self._facts(step)
        if explanation := rules.step_explanation(message):
            hint = explanation.hint or failure_rules.LOG_HINT.format_map(facts)
            return replace(explanation, hint=hint)
        return rules.explain(failure_rules.FAILURE_RULES, message, facts) or Explanation("Error", message)

    def explain_failed_workflow(self, message: str) -> Explanation:
        """Explain why a workflow failed without a failed step."""
        explanation = rules.explain(failure_rules.FAILURE_RULES, message, self._facts(StepNodes("")))
        return explanation or Explanation(
            rules.leading_reason(message), message or "the workflow failed; Argo reports no cause", CONTROLLER_LOG_HINT
        )

    def _facts(self, step: StepNodes) -> dict[str, str]:
        """Values for the braces in rule tables."""
        template = self._template(step)
        container = get_path(self.spec.templates.get(template), "container")
        resources, selector = self.spec.resources(template), self.spec.node_selector(template)
        memory = text(get_path(container, "resources", "limits", "memory"))
        attempts = len(step.attempts)
        return {
            "id": self.training,
            "step": step.name,
            "pod": f"the pod of step {step.name}" if step.name else "a pod of the training",
            "requirements": f", which requires {resources}" if resources else "",
            "selector": f" ({selector})" if selector else "",
            "image": text(get_path(container, "image")),
            "memory": f" of {memory}" if memory else "",
            "memory_hint": self._memory_hint(step, memory),
            "holder": self.lock_holder or "another run",
            "during": _activity_at_shutdown(step),
            "queue": self.spec.label(template, naming.QUEUE_LABEL),
            "queue_timeout": self.spec.annotation(template, naming.QUEUE_TIMEOUT_ANNOTATION) or "its limit",
            "attempts": f", after {attempts} attempts" if attempts > 1 else "",
            **self._pending_timeout_facts(step, template),
            **self._deadline_facts(step, template),
        }

    def _memory_hint(self, step: StepNodes, memory: str) -> str:
        """Return how to give a step more memory. Only that of the training belongs to the training itself."""
        if step.name != "train":
            return f"increase step_resources.limits.memory in the profile; {self._retry_command()}"
        larger = _double(memory) or "AMOUNT"
        retry = f"{self._retry_command()} --memory {larger}"
        return f"increase resources.limits.memory of the training: {retry}; or reduce its memory use"

    def _retry_command(self) -> str:
        return f"odahu-argo train retry --id {self.training}"

    def _template(self, step: StepNodes) -> str:
        node = step.last_pod or step.node
        return node.template if node and node.template else step.name

    def _pending_timeout_facts(self, step: StepNodes, template: str) -> dict[str, str]:
        """Explain what a pod waited for until its pending timeout. A pod with a node was already scheduled."""
        annotation = self.spec.annotation(template, naming.PENDING_TIMEOUT_ANNOTATION)
        limit = annotation or self.spec.setting(template, "pendingTimeout") or "its pending timeout"
        if step.last_pod and step.last_pod.host:
            return {
                "pending_timeout": f"the pod of step {step.name} did not start within {limit} "
                f"on node {step.last_pod.host}",
                "pending_timeout_hint": "the image or a volume was not ready in time",
            }
        resources, selector = self.spec.resources(template), self.spec.node_selector(template)
        node = f"a node with {resources}" if resources else "a node"
        labels = f" and labels {selector}" if selector else ""
        return {
            "pending_timeout": f"Kubernetes found no node for step {step.name} within {limit}: "
            f"the step requires {node}{labels}",
            "pending_timeout_hint": "check whether any node can run the step: odahu-argo doctor",
        }

    def _deadline_facts(self, step: StepNodes, template: str) -> dict[str, str]:
        """Explain which limit was exceeded. Argo shortens a pod's deadline to what remains of the workflow's."""
        is_workflow_limit = self.spec.deadline is not None and (
            "workflow deadline" in step.message
            or step.message.startswith("Step exceeded")
            or self._workflow_deadline_passed(step)
        )
        kind = next((kind for kind in STEP_KINDS if step.name == kind or step.name.startswith(f"{kind}-")), "")
        limit = str(self.spec.deadline) if is_workflow_limit else self.spec.setting(template, "activeDeadlineSeconds")
        amount = f" of {limit}{' s' if integer(limit) is not None else ''}" if limit else ""
        if is_workflow_limit:
            message = f"the training exceeded its time limit{amount} and was terminated in step {step.name}"
        else:
            message = f"step {step.name} exceeded its time limit{amount} and was terminated"
        setting = "timeouts.workflow" if is_workflow_limit else f"timeouts.{kind}" if kind else "timeouts"
        return {"deadline": message, "deadline_setting": setting}

    def _workflow_deadline_passed(self, step: StepNodes) -> bool:
        try:
            started = datetime.fromisoformat(self.started)
            finished = datetime.fromisoformat(step.last_pod.finished if step.last_pod else "")
            return (finished - started).total_seconds() >= (self.spec.deadline or 0)
        except (ValueError, TypeError):
            return False


def _activity_at_shutdown(step: StepNodes) -> str:
    """Return what the step did when the training was stopped. A container that had started leaves an exit code."""
    if not step.name:
        return ""
    pod = step.last_pod
    if pod is not None and (pod.phase == "Succeeded" or pod.exit_code == 0):
        return f" after step {step.name} had finished"
    was_pending = pod is not None and pod.message.startswith("workflow shutdown") and pod.exit_code is None
    return f" while step {step.name} was {'pending' if was_pending else 'running'}"


def _double(amount: str) -> str:
    """Return twice a quantity such as `4Gi`; empty if it is not a number with a unit."""
    match = _QUANTITY.fullmatch(amount)
    return f"{2 * float(match['number']):g}{match['unit']}" if match else ""
