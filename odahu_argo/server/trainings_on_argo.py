"""The trainings of a cluster's namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from odahu_argo.errors import Problem, UserError
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.server.requests import as_manifest
from odahu_argo.server.source import Form
from odahu_argo.submit.cluster import Cluster
from odahu_argo.submit.preflight import check
from odahu_argo.trainings import change
from odahu_argo.trainings.follow import follow as follow_training
from odahu_argo.trainings.logs import Line, Missing, read_logs
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.odahu_form import odahu_form
from odahu_argo.trainings.planning import plan_on
from odahu_argo.trainings.read import find_training, list_trainings
from odahu_argo.trainings.watching import OutOfSight


@dataclass(frozen=True, slots=True)
class TrainingsOnArgo:
    """The trainings of the cluster's namespace, planned by the site's settings."""

    cluster: Cluster
    settings: Profile

    def all(self) -> list[Form]:
        """Every training, by id."""
        return [odahu_form(training) for training in list_trainings(self.cluster)]

    def get(self, training_id: str) -> Form:
        """One training."""
        return odahu_form(find_training(self.cluster, training_id))

    def create(self, body: object) -> Form:
        """Submit a training; the very same one while it goes on is the answer, as for the command line."""
        plan = self._plan(body)
        change.create(self.cluster, plan)
        return self.get(plan.training_id)

    def update(self, body: object) -> Form:
        """Stop the run before, and submit what the body says now."""
        plan = self._plan(body)
        change.edit(self.cluster, plan)
        return self.get(plan.training_id)

    def delete(self, training_id: str) -> None:
        """Remove a training with all its runs; trained models stay."""
        change.delete(self.cluster, training_id)

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, each after the name of its step."""
        training = find_training(self.cluster, training_id)
        return self._lines(training, follow and not training.status.has_ended and not training.newest.is_gone)

    def _lines(self, training: Training, follow: bool) -> Iterator[str]:
        events = (
            follow_training(self.cluster, training.id)
            if follow
            else read_logs(self.cluster, training, log_connection=self.settings.argo.log_connection)
        )
        for event in events:
            match event:
                case Line(step, text):
                    yield f"{step} | {text}"
                case Missing(step, attempt, why):
                    yield f"{step} | the log of attempt {attempt} is missing: {why}"
                case OutOfSight(why):
                    yield f"out of sight: {why}"

    def _plan(self, body: object) -> Plan:
        """The plan of the training: connections and toolchain are the namespace's; what it needs there is seen first.

        Raises:
            UserError: with every mistake, or with everything on the cluster that is in its way.
        """
        [plan] = plan_on(self.cluster, as_manifest(body, "ModelTraining"), self.settings)
        errors = [finding for finding in check(self.cluster, self.settings, [plan]) if finding.level == "error"]
        if errors:
            raise UserError(Problem(f"{each.subject}: {each.message}", hint=each.hint) for each in errors)
        return plan
