"""What one workflow's nodes say, in plain words: the tables of `reasons`, with facts from the workflow's own spec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from odahu_argo.status import failure_rules, pending_rules, rules
from odahu_argo.status.rules import Words
from odahu_argo.status.steps import Step
from odahu_argo.status.unstructured import look, text, whole
from odahu_argo.status.workflow import Intent

LOOK_HINT = "kubectl get workflow -o yaml and the log of Argo's controller tell more"
PENDING = "Pending"
KINDS = ("checkout", "download", "train", "package")


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of one workflow that began at `started`. `holder` is the run that holds the lock it waits for."""

    training: str
    intent: Intent
    started: str = ""
    holder: str = ""

    def hold_up(self, said: str, step: Step) -> Words | None:
        """Why a pod that is pending does not begin; None where it says nothing or is just beginning."""
        if pending_rules.STARTING.fullmatch(said):
            return None
        return rules.explain(pending_rules.HELD_UP, said, self._facts(step))

    def hold_up_of_all(self, said: str) -> Words:
        """Why a workflow does not begin."""
        known = rules.explain(pending_rules.HELD_UP, said, self._facts(Step("")))
        return known or Words(PENDING, f"Argo has not begun with it ({said})" if said else "Argo has not begun with it")

    def failure(self, said: str, step: Step) -> Words:
        """Why a step failed. What the step itself has left as its last words comes first."""
        facts = self._facts(step)
        if own := rules.own_words(said):
            return own if own.hint else replace(own, hint=failure_rules.LOG_HINT.format_map(facts))
        return rules.explain(failure_rules.FAILURES, said, facts) or Words("Error", said)

    def failure_of_all(self, said: str) -> Words:
        """Why a workflow failed of which no step did."""
        known = rules.explain(failure_rules.FAILURES, said, self._facts(Step("")))
        return known or Words(rules.first_word(said), said or "Argo does not say why the workflow failed", LOOK_HINT)

    def _facts(self, step: Step) -> dict[str, str]:
        template = self._template(step)
        container = look(self.intent.templates.get(template), "container")
        needs, selector = self.intent.needs(template), self.intent.selector(template)
        memory = text(look(container, "resources", "limits", "memory"))
        tried = len(step.attempts)
        return {
            "id": self.training,
            "step": step.name,
            "pod": f"the pod of step {step.name}" if step.name else "what the training needs",
            "asking": f", which asks for {needs}" if needs else "",
            "labels": f" ({selector})" if selector else "",
            "image": text(look(container, "image")),
            "memory": f" of {memory}" if memory else "",
            **self._unstarted(step, template),
            "holder": self.holder or "another",
            "during": _during(step),
            "tried": f", the last of {tried} attempts" if tried > 1 else "",
            **self._limit(step, template),
        }

    def _template(self, step: Step) -> str:
        node = step.last or step.head
        return node.template if node and node.template else step.name

    def _unstarted(self, step: Step, template: str) -> dict[str, str]:
        """What a pod waited for when its time was over. One that has a node waited for something else."""
        within = f"within {self.intent.setting(template, 'pendingTimeout') or 'its limit on waiting'}"
        if step.last and step.last.host:
            return {
                "unstarted": f"the pod of step {step.name} did not start {within} on its node, {step.last.host}",
                "unstarted_hint": "its image or a volume was not ready in time",
            }
        needs, selector = self.intent.needs(template), self.intent.selector(template)
        node = f"a node with {needs}" if needs else "a node"
        labels = f" and the labels {selector}" if selector else ""
        return {
            "unstarted": f"no node was found for step {step.name} {within}: it waited for {node}{labels}",
            "unstarted_hint": "see whether any node could ever hold it: odahu-argo doctor",
        }

    def _limit(self, step: Step, template: str) -> dict[str, str]:
        """Whose limit has passed. Argo shortens that of a pod to what is left of the workflow's."""
        of_all = self.intent.deadline is not None and (
            "workflow deadline" in step.said or step.said.startswith("Step exceeded") or self._whole_time_is_up(step)
        )
        kind = next((kind for kind in KINDS if step.name == kind or step.name.startswith(f"{kind}-")), "")
        written = str(self.intent.deadline) if of_all else self.intent.setting(template, "activeDeadlineSeconds")
        limit = f" of {written}{' s' if whole(written) is not None else ''}" if written else ""
        ended = f"and was ended in step {step.name}" if of_all else "and was ended"
        return {
            "outlasted": f"{'the training' if of_all else f'step {step.name}'} took longer than its limit{limit} {ended}",
            "setting": "timeouts.workflow" if of_all else f"timeouts.{kind}" if kind else "timeouts",
        }

    def _whole_time_is_up(self, step: Step) -> bool:
        try:
            began, ended = (
                datetime.fromisoformat(each) for each in (self.started, step.last.finished if step.last else "")
            )
            return (ended - began).total_seconds() >= (self.intent.deadline or 0)
        except (ValueError, TypeError):
            return False


def _during(step: Step) -> str:
    """What the step did when the training was ended. A container that had begun leaves an exit code behind."""
    if not step.name:
        return ""
    last = step.last
    waited = last is not None and last.message.startswith("workflow shutdown") and last.exit_code is None
    return f" while step {step.name} was {'waiting to start' if waited else 'at work'}"
