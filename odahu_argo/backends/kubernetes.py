"""A cluster's namespace as a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from odahu_argo.backends.base import Followed, Form, Seen, Site, Submitted, Watched
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import AlreadyExists
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import Cluster
from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.odahu_api import odahu_form_odahu_form
from odahu_argo.plan.model import Plan, schedules_of
from odahu_argo.preflight import checks
from odahu_argo.preflight.result import Finding
from odahu_argo.profile import Profile
from odahu_argo.resources import connections, toolchains
from odahu_argo.resources.connection_secret import connection_to_api, connection_to_secret
from odahu_argo.resources.toolchains import toolchain_to_config_map
from odahu_argo.trainings import actions, submit
from odahu_argo.trainings.follow import follow, read_or_follow
from odahu_argo.trainings.logs import Line, Missing
from odahu_argo.trainings.queries import find_training, list_trainings, training_ids
from odahu_argo.trainings.recorder import tidy
from odahu_argo.trainings.submit import Sent, plan_on
from odahu_argo.trainings.watch import Changed, watch_trainings


def on_cluster(cluster: Cluster, settings: Profile) -> Site:
    """The trainings, connections and toolchains of the cluster's namespace."""
    return Site(
        place=f"in namespace {cluster.namespace}",
        arguments=f"-n {cluster.namespace}",
        ending="train stop ends it",
        trainings=TrainingsOnCluster(cluster, settings),
        connections=ConnectionsOnCluster(cluster),
        toolchains=ToolchainsOnCluster(cluster),
    )


@dataclass(frozen=True, slots=True)
class TrainingsOnCluster:
    """The trainings of the cluster's namespace, planned by the site's settings."""

    cluster: Cluster
    settings: Profile

    def all(self) -> list[Form]:
        """Every training, by id."""
        return [odahu_form_odahu_form(training) for training in list_trainings(self.cluster)]

    def ids(self) -> list[str]:
        """The id of every training; nothing is remembered on the way."""
        return training_ids(self.cluster)

    def get(self, training_id: str) -> Form:
        """One training."""
        return odahu_form_odahu_form(find_training(self.cluster, training_id))

    def batch(self, manifests: Manifests, training_id: str | None, external: Sequence[str] = ()) -> BatchOnCluster:
        """The trainings of the manifests, or the one called so, each with its plan."""
        settings = self.settings.with_external(tuple(external))
        plans = plan_on(self.cluster, manifests, settings, training_id)
        return BatchOnCluster(self, {plan.training_id: plan for plan in plans})

    def delete(self, training_id: str) -> None:
        """Remove it with its runs, their workspaces, and what is remembered of it."""
        actions.delete(self.cluster, training_id)

    def retry(self, training_id: str) -> Submitted:
        """Go on from the step that failed."""
        return self.submitted(training_id, actions.retry(self.cluster, training_id))

    def watch(self, training_id: str | None) -> Iterator[Watched]:
        """Every training that has a workflow, or one, as it stands, then each change."""
        for seen in watch_trainings(self.cluster, training_id):
            yield Seen(odahu_form_odahu_form(seen.training)) if isinstance(seen, Changed) else seen

    def follow(self, training_id: str, timeout: float | None) -> Iterator[Followed]:
        """How it stands and what it prints; a workspace that is needed no more is given up at its end."""
        last = None
        for event in follow(self.cluster, training_id, timeout):
            match event:
                case Changed(training):
                    last = training
                    yield Seen(odahu_form_odahu_form(training))
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
        return checks.check(self.trainings.cluster, self.trainings.settings, plans)

    def check(self) -> None:
        """See that the API takes each workflow; one of its name is there where the training is to run anew."""
        for plan in self.plans.values():
            try:
                submit.check(self.trainings.cluster, compile_workflow(plan))
            except AlreadyExists:
                continue

    def try_out(self, training_id: str) -> str:
        """See that the API takes the workflow."""
        plan = self.plans[training_id]
        actions.require_new(self.trainings.cluster, plan)
        workflow = compile_workflow(plan)
        submit.check(self.trainings.cluster, workflow)
        name = workflow["metadata"]["name"]
        return f"training {training_id} would be submitted as workflow {name} (dry run)"

    def create(self, training_id: str) -> Submitted:
        """Submit the first run."""
        sent = actions.create(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, sent)

    def edit(self, training_id: str) -> Submitted:
        """Submit a further run."""
        sent = actions.edit(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, sent)


@dataclass(frozen=True, slots=True)
class ConnectionsOnCluster:
    """The Secrets `connection-<id>` of the namespace."""

    cluster: Cluster

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id."""
        return [connection_to_api(secret, decrypted) for secret in connections.list_connections(self.cluster)]

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One."""
        return connection_to_api(connections.find_connection(self.cluster, wanted), decrypted)

    def check(self, manifest: Connection) -> None:
        """See that the API would take its Secret."""
        connections.validate(self.cluster, connection_to_secret(manifest))

    def require(self, wanted: str) -> None:
        """See that there is one."""
        connections.find_connection(self.cluster, wanted)

    def require_own(self, wanted: str) -> None:
        """See that there is one."""
        connections.find_connection(self.cluster, wanted)

    def create(self, manifest: Connection, dry_run: bool = False) -> None:
        """Make its Secret."""
        connections.create(self.cluster, connection_to_secret(manifest), dry_run)

    def apply(self, manifest: Connection) -> Outcome:
        """Make its Secret, or bring it up to date."""
        return connections.apply(self.cluster, connection_to_secret(manifest))

    def delete(self, wanted: str) -> list[str]:
        """Remove its Secret; says who goes on and mounts it."""
        users = connections.delete(self.cluster, wanted)
        return [f"{', '.join(users)} goes on and names it: steps that mount it will not start"] if users else []


@dataclass(frozen=True, slots=True)
class ToolchainsOnCluster:
    """The ConfigMaps `toolchain-<id>` of the namespace, and what is built in."""

    cluster: Cluster

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id; none holds a secret."""
        return toolchains.list_toolchains(self.cluster)

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One."""
        return toolchains.get_toolchain(self.cluster, wanted)

    def check(self, manifest: ToolchainIntegration) -> None:
        """See that the API would take its ConfigMap."""
        toolchains.validate(self.cluster, toolchain_to_config_map(manifest))

    def require(self, wanted: str) -> None:
        """See that there is one, or one is built in."""
        toolchains.require_known(self.cluster, wanted)

    def require_own(self, wanted: str) -> None:
        """See that the namespace has one."""
        toolchains.find_toolchain(self.cluster, wanted)

    def create(self, manifest: ToolchainIntegration, dry_run: bool = False) -> None:
        """Make its ConfigMap."""
        toolchains.create(self.cluster, toolchain_to_config_map(manifest), dry_run)

    def apply(self, manifest: ToolchainIntegration) -> Outcome:
        """Make its ConfigMap, or bring it up to date."""
        return toolchains.apply(self.cluster, toolchain_to_config_map(manifest))

    def delete(self, wanted: str) -> list[str]:
        """Remove its ConfigMap."""
        toolchains.delete(self.cluster, wanted)
        return []
