"""The trainings of a cluster's namespace, for commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from odahu_argo.client.site import Followed, Form, Seen, Submitted, Watched
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.manifest.load import Manifests
from odahu_argo.plan.model import Plan, schedules_of
from odahu_argo.profile import Profile
from odahu_argo.submit import preflight, send
from odahu_argo.submit.cluster import AlreadyExists, Cluster
from odahu_argo.submit.finding import Finding
from odahu_argo.submit.send import Sent
from odahu_argo.trainings import change
from odahu_argo.trainings.follow import follow, read_or_follow
from odahu_argo.trainings.logs import Line, Missing
from odahu_argo.trainings.odahu_form import odahu_form
from odahu_argo.trainings.planning import plan_on
from odahu_argo.trainings.read import find_training, list_trainings, training_ids
from odahu_argo.trainings.recorder import tidy
from odahu_argo.trainings.watching import Changed, watch_trainings


@dataclass(frozen=True, slots=True)
class TrainingsOnCluster:
    """The trainings of the cluster's namespace, planned by the site's settings."""

    cluster: Cluster
    settings: Profile

    def all(self) -> list[Form]:
        """Every training, by id."""
        return [odahu_form(training) for training in list_trainings(self.cluster)]

    def ids(self) -> list[str]:
        """The id of every training; nothing is remembered on the way."""
        return training_ids(self.cluster)

    def get(self, training_id: str) -> Form:
        """One training."""
        return odahu_form(find_training(self.cluster, training_id))

    def batch(self, manifests: Manifests, training_id: str | None, external: Sequence[str] = ()) -> BatchOnCluster:
        """The trainings of the manifests, or the one called so, each with its plan."""
        settings = self.settings.with_external(tuple(external))
        plans = plan_on(self.cluster, manifests, settings, training_id)
        return BatchOnCluster(self, {plan.training_id: plan for plan in plans})

    def delete(self, training_id: str) -> None:
        """Remove it with its runs, their workspaces, and what is remembered of it."""
        change.delete(self.cluster, training_id)

    def retry(self, training_id: str) -> Submitted:
        """Go on from the step that failed."""
        return self.submitted(training_id, change.retry(self.cluster, training_id))

    def watch(self, training_id: str | None) -> Iterator[Watched]:
        """Every training that has a workflow, or one, as it stands, then each change."""
        for seen in watch_trainings(self.cluster, training_id):
            yield Seen(odahu_form(seen.training)) if isinstance(seen, Changed) else seen

    def follow(self, training_id: str, timeout: float | None) -> Iterator[Followed]:
        """How it stands and what it prints; a workspace that is needed no more is given up at its end."""
        last = None
        for event in follow(self.cluster, training_id, timeout):
            match event:
                case Changed(training):
                    last = training
                    yield Seen(odahu_form(training))
                case Missing():
                    yield str(event)
                case _:
                    yield event
        if last is not None and last.status.has_ended:
            tidy(self.cluster, last)

    def log(self, training_id: str, step: str | None, follow: bool) -> Iterator[Line | str]:
        """Its lines, from archived logs as well where the profile names a connection for them."""
        training = find_training(self.cluster, training_id)
        return read_or_follow(self.cluster, training, follow, step, self.settings.argo.log_connection)

    def remedy(self, training_id: str) -> str:
        """A retry begins where it failed."""
        return f"odahu-argo train retry --id {training_id} goes on from the step that failed"

    def submitted(self, training_id: str, sent: Sent) -> Submitted:
        """What was submitted, and where to see it."""
        verb = "submitted as" if sent.created else "goes on as"
        place = self.cluster.namespace
        argo = self.settings.argo.url
        return Submitted(
            training_id,
            f"training {training_id} {verb} workflow {sent.name} in namespace {place}",
            sent.created,
            f"{argo}/workflows/{place}/{sent.name}" if argo else "",
        )


@dataclass(frozen=True, slots=True)
class BatchOnCluster:
    """Plans by the ids of their trainings."""

    trainings: TrainingsOnCluster
    plans: dict[str, Plan]

    @property
    def ids(self) -> Sequence[str]:
        """In the order of the manifests."""
        return tuple(self.plans)

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """The plans that have one."""
        return schedules_of(self.plans.values())

    def preflight(self, ids: Sequence[str]) -> Sequence[Finding]:
        """What was looked at on the cluster for these."""
        plans = [self.plans[name] for name in ids]
        return preflight.check(self.trainings.cluster, self.trainings.settings, plans)

    def check(self) -> None:
        """See that the API takes each workflow; one of its name is there where the training is to run anew."""
        for plan in self.plans.values():
            try:
                send.check(self.trainings.cluster, compile_workflow(plan))
            except AlreadyExists:
                continue

    def try_out(self, training_id: str) -> str:
        """See that the API takes the workflow."""
        plan = self.plans[training_id]
        change.require_new(self.trainings.cluster, plan)
        workflow = compile_workflow(plan)
        send.check(self.trainings.cluster, workflow)
        name = workflow["metadata"]["name"]
        return f"training {training_id} would be submitted as workflow {name} (dry run)"

    def create(self, training_id: str) -> Submitted:
        """Submit the first run."""
        sent = change.create(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, sent)

    def edit(self, training_id: str) -> Submitted:
        """Submit a further run."""
        sent = change.edit(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, sent)
