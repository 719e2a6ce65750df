"""The trainings of a cluster's namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from odahu_argo.errors import Problem, UserError
from odahu_argo.kube.cluster import Cluster
from odahu_argo.manifest.load import Manifests
from odahu_argo.odahu_api import odahu_form_odahu_form
from odahu_argo.plan.model import Plan
from odahu_argo.preflight.checks import check
from odahu_argo.profile import Profile
from odahu_argo.server.source import Form
from odahu_argo.trainings import actions
from odahu_argo.trainings.follow import read_or_follow
from odahu_argo.trainings.queries import find_training, list_trainings
from odahu_argo.trainings.submit import plan_on


@dataclass(frozen=True, slots=True)
class TrainingsOnArgo:
    """The trainings of the cluster's namespace, planned by the site's settings."""

    cluster: Cluster
    settings: Profile

    def all(self) -> list[Form]:
        """Every training, by id."""
        return [odahu_form_odahu_form(training) for training in list_trainings(self.cluster)]

    def get(self, training_id: str) -> Form:
        """One training."""
        return odahu_form_odahu_form(find_training(self.cluster, training_id))

    def create(self, manifests: Manifests) -> Form:
        """Submit a training; the very same one while it goes on is the answer, as for the command line."""
        plan = self._plan(manifests)
        actions.create(self.cluster, plan)
        return self.get(plan.training_id)

    def update(self, manifests: Manifests) -> Form:
        """Stop the run before, and submit what the manifest says now."""
        plan = self._plan(manifests)
        actions.edit(self.cluster, plan)
        return self.get(plan.training_id)

    def delete(self, training_id: str) -> None:
        """Remove a training with all its runs; trained models stay."""
        actions.delete(self.cluster, training_id)

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, each after the name of its step; what is said of the log itself has no step before it."""
        training = find_training(self.cluster, training_id)
        lines = read_or_follow(self.cluster, training, follow, log_connection=self.settings.argo.log_connection)
        return (line if isinstance(line, str) else f"{line.step} | {line.text}" for line in lines)

    def _plan(self, manifests: Manifests) -> Plan:
        """The plan of the training: connections and toolchain are the namespace's; what it needs there is seen first.

        Raises:
            UserError: with every mistake, or with everything on the cluster that is in its way.
        """
        [plan] = plan_on(self.cluster, manifests, self.settings)
        errors = [finding for finding in check(self.cluster, self.settings, [plan]) if finding.level == "error"]
        if errors:
            raise UserError(Problem(f"{each.subject}: {each.message}", hint=each.hint) for each in errors)
        return plan
