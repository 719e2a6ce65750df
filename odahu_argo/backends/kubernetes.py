"""Trainings, connections and toolchains in a namespace of a Kubernetes cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event
from urllib.parse import quote

from odahu_argo.backends.base import BackendInfo, Submitted
from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import AlreadyExists, NotFound
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import WORKFLOW, Cluster
from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.models import Connection, ToolchainIntegration
from odahu_argo.odahu_api import Document
from odahu_argo.plan.model import Plan, schedules_of
from odahu_argo.preflight import checks
from odahu_argo.preflight.result import CheckResult
from odahu_argo.profile import Profile
from odahu_argo.resources import connections, toolchains
from odahu_argo.resources.connection_secret import connection_to_api, connection_to_secret
from odahu_argo.resources.toolchains import toolchain_to_config_map
from odahu_argo.status.unstructured import mapping, sequence
from odahu_argo.tracking import PAGE_SECONDS, MlflowRun, NoRun, RunCache, TrackingServer
from odahu_argo.trainings import actions, queries, submit
from odahu_argo.trainings.events import FollowEvent, LogEvent, WatchEvent
from odahu_argo.trainings.follow import follow, read_or_follow
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.retry import TrainingResources
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage, select_page
from odahu_argo.trainings.submit import SubmittedWorkflow
from odahu_argo.trainings.watch import watch_trainings
from odahu_argo.web.model import Link

_COMPILED_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_COMPILED_METADATA = ("name", "namespace", "labels", "annotations")


class KubernetesBackend:
    """A namespace of a cluster. `profile` contains the settings of the site."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        namespace = cluster.namespace
        self.info = BackendInfo(
            location=f"namespace {namespace}",
            options=f"-n {namespace}",
            stop_hint="odahu-argo train stop stops it",
            create_command=f"odahu-argo train create -n {namespace} -f training.yaml -f connections.yaml",
        )
        self.trainings = KubernetesTrainings(cluster, profile)
        self.connections = KubernetesConnections(cluster)
        self.toolchains = KubernetesToolchains(cluster)

    def close(self) -> None:
        """Do nothing: there is no background work."""


class KubernetesTrainings:
    """The trainings of a namespace: Argo Workflows and their recorded history."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self.cluster = cluster
        self.profile = profile

    def list(self) -> Sequence[Training]:
        """Return every training, sorted by ID."""
        return list(queries.list_trainings(self.cluster))

    def page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage:
        """Return a page of the matching trainings."""
        return select_page(self.list(), selection, request)

    def ids(self) -> Sequence[str]:
        """Return the ID of every training, sorted."""
        return queries.list_ids(self.cluster)

    def get(self, training_id: str) -> Training:
        """Return one training."""
        return queries.find_training(self.cluster, training_id)

    def history(self, training_id: str) -> Training:
        """Return one training with all recorded attempts."""
        return self.get(training_id)

    def prepare(
        self, manifests: Manifests, training_id: str | None = None, external: Sequence[str] = ()
    ) -> KubernetesSubmission:
        """Plan the trainings in the manifests, or the one with the given ID."""
        profile = self.profile.with_external(tuple(external))
        plans = submit.plan_for_cluster(self.cluster, manifests, profile, training_id)
        return KubernetesSubmission(self, {plan.training_id: plan for plan in plans})

    def stop(self, training_id: str) -> Training:
        """Stop a training. It then fails and can be retried."""
        return actions.stop(self.cluster, training_id)

    def retry(
        self,
        training_id: str,
        submission: KubernetesSubmission | None = None,
        resources: TrainingResources | None = None,
    ) -> Submitted:
        """Restart a failed training at the step that failed, in its existing workspace.

        Settings come from the profile; `submission` contains the training's changed manifests.
        """
        plan = submission.plans[training_id] if submission else None
        retried = actions.retry(self.cluster, training_id, self.profile, plan, resources)
        submitted = self.submitted(training_id, retried.workflow)
        lines = [submitted.message]
        if retried.finished:
            lines.append(f"not repeated: {', '.join(retried.finished)}")
        lines += [f"changed: {change}" for change in retried.changes]
        return replace(submitted, message="\n".join(lines))

    def retry_hint(self, training_id: str) -> str:
        """Return the command that retries a training."""
        return f"odahu-argo train retry --id {training_id} restarts it at the step that failed"

    def delete(self, training_id: str) -> None:
        """Delete a training with its runs, workspaces and history."""
        actions.delete(self.cluster, training_id)

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training that has a Workflow, or one, then each change."""
        return watch_trainings(self.cluster, training_id)

    def follow(self, training_id: str, timeout: float | None = None) -> Iterator[FollowEvent]:
        """Yield the training, then each change and log line until it has ended."""
        return follow(self.cluster, training_id, timeout)

    def logs(
        self, training_id: str, step: str | None = None, is_following: bool = False, stop: Event | None = None
    ) -> Iterator[LogEvent]:
        """Yield the log, including archived logs if the profile specifies a connection for them."""
        training = self.get(training_id)
        archive = self.profile.argo.log_connection
        return read_or_follow(self.cluster, training, is_following, step, archive, stop)

    def workflow_yaml(self, training: Training) -> str:
        """Return the Workflow as it was submitted, without the fields that the cluster adds."""
        newest = training.newest
        if newest.is_gone:
            raise NotFound(f"workflow {newest.workflow} was deleted from the cluster")
        workflow = self.cluster.get(WORKFLOW, newest.workflow)
        compiled = {name: workflow[name] for name in _COMPILED_FIELDS if name in workflow}
        compiled["metadata"] = {
            name: value for name, value in compiled["metadata"].items() if name in _COMPILED_METADATA
        }
        return to_yaml([compiled])

    def mlflow_run(self, training: Training, timeout: float = PAGE_SECONDS) -> MlflowRun | NoRun:
        """Return the run from the MLflow server of the environment or the profile.

        A server that the training itself specifies is never contacted: only the operator decides where this process sends
        requests and its credentials.
        """
        variables = {str(mapping(entry).get("name")) for entry in sequence(training.newest.spec.get("envs"))}
        if TRACKING_VARIABLE in variables:
            return NoRun("the training uses its own MLflow server, which is not contacted from here")
        if self._runs is None:
            return NoRun("no MLflow server with an http URL is configured", "set tracking.uri in the profile")
        run_id = training.status.artifacts.run_id
        return self._runs.get(run_id, timeout) if run_id else NoRun("there is no MLflow run yet")

    def links(self, training: Training, run: MlflowRun | NoRun) -> Sequence[Link]:
        """Return links to the Workflow in Argo and to the run in MLflow, if the profile has their URLs."""
        links = []
        if (url := self._workflow_url(training.newest.workflow)) and not training.newest.is_gone:
            links.append(Link("Argo", url))
        server = self.profile.tracking.url or self.profile.tracking.uri or ""
        if isinstance(run, MlflowRun) and server.startswith(("http://", "https://")):
            path = f"{quote(run.experiment, safe='')}/runs/{quote(run.id, safe='')}"
            links.append(Link("MLflow", f"{server.rstrip('/')}/#/experiments/{path}"))
        return links

    def submitted(self, training_id: str, workflow: SubmittedWorkflow) -> Submitted:
        """Describe a submitted Workflow."""
        verb = "submitted as" if workflow.is_new else "is already running as"
        message = f"training {training_id} {verb} workflow {workflow.name} in namespace {self.cluster.namespace}"
        return Submitted(training_id, message, workflow.is_new, self._workflow_url(workflow.name))

    def _workflow_url(self, workflow: str) -> str:
        if not self.profile.argo.url:
            return ""
        return f"{self.profile.argo.url}/workflows/{quote(self.cluster.namespace, safe='')}/{quote(workflow, safe='')}"

    @cached_property
    def _runs(self) -> RunCache | None:
        url = os.environ.get(TRACKING_VARIABLE) or self.profile.tracking.uri or ""
        return RunCache(TrackingServer(url)) if url.startswith(("http://", "https://")) else None


@dataclass(frozen=True, slots=True)
class KubernetesSubmission:
    """Plans by training ID."""

    trainings: KubernetesTrainings
    plans: dict[str, Plan]

    @property
    def ids(self) -> Sequence[str]:
        """IDs in the order of the manifests."""
        return tuple(self.plans)

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """ID and schedule of each training with a schedule."""
        return schedules_of(self.plans.values())

    def preflight(self, ids: Sequence[str]) -> Sequence[CheckResult]:
        """Check the cluster for anything that prevents these trainings from running."""
        plans = [self.plans[training_id] for training_id in ids]
        return checks.check(self.trainings.cluster, self.trainings.profile, plans)

    def check(self) -> None:
        """Check that the API accepts each Workflow. An existing Workflow is no error: `edit` starts a new run."""
        for plan in self.plans.values():
            try:
                submit.check(self.trainings.cluster, compile_workflow(plan))
            except AlreadyExists:
                continue

    def dry_run(self, training_id: str) -> str:
        """Check one training by a server-side dry run."""
        plan = self.plans[training_id]
        actions.require_new(self.trainings.cluster, plan)
        workflow = compile_workflow(plan)
        submit.check(self.trainings.cluster, workflow)
        return f"training {training_id} would be submitted as workflow {workflow['metadata']['name']} (dry run)"

    def create(self, training_id: str) -> Submitted:
        """Submit the first run."""
        workflow = actions.create(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, workflow)

    def edit(self, training_id: str) -> Submitted:
        """Submit a further run."""
        workflow = actions.edit(self.trainings.cluster, self.plans[training_id])
        return self.trainings.submitted(training_id, workflow)


@dataclass(frozen=True, slots=True)
class KubernetesConnections:
    """Connections in the Secrets `connection-<id>` of a namespace."""

    cluster: Cluster

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every connection, sorted by ID."""
        return [connection_to_api(secret, decrypted) for secret in connections.list_connections(self.cluster)]

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one connection."""
        return connection_to_api(connections.find_connection(self.cluster, resource_id), decrypted)

    def check_writable(self) -> None:
        """Do nothing: permissions are checked by the API."""

    def check(self, manifest: Connection) -> None:
        """Check that the API accepts the Secret."""
        connections.validate(self.cluster, connection_to_secret(manifest))

    def check_edit(self, resource_id: str) -> None:
        """Check that the connection exists."""
        connections.find_connection(self.cluster, resource_id)

    def check_delete(self, resource_id: str) -> None:
        """Check that the connection exists."""
        connections.find_connection(self.cluster, resource_id)

    def create(self, manifest: Connection, dry_run: bool = False) -> None:
        """Create the Secret."""
        connections.create(self.cluster, connection_to_secret(manifest), dry_run)

    def apply(self, manifest: Connection) -> Outcome:
        """Create or update the Secret."""
        return connections.apply(self.cluster, connection_to_secret(manifest))

    def delete(self, resource_id: str) -> Sequence[str]:
        """Delete the Secret. Return a note if running Workflows mount it."""
        workflows = connections.delete(self.cluster, resource_id)
        if not workflows:
            return []
        return [f"steps of {', '.join(workflows)} that mount it will not start"]


@dataclass(frozen=True, slots=True)
class KubernetesToolchains:
    """Toolchains in the ConfigMaps `toolchain-<id>` of a namespace, and built-in ones."""

    cluster: Cluster

    def list(self, decrypted: bool = False) -> Sequence[Document]:
        """Return every toolchain, sorted by ID. Toolchains contain no secrets."""
        return toolchains.list_toolchains(self.cluster)

    def get(self, resource_id: str, decrypted: bool = False) -> Document:
        """Return one toolchain."""
        return toolchains.get_toolchain(self.cluster, resource_id)

    def check_writable(self) -> None:
        """Do nothing: permissions are checked by the API."""

    def check(self, manifest: ToolchainIntegration) -> None:
        """Check that the API accepts the ConfigMap."""
        toolchains.validate(self.cluster, toolchain_to_config_map(manifest))

    def check_edit(self, resource_id: str) -> None:
        """Check that the toolchain exists or is built in."""
        toolchains.require_known(self.cluster, resource_id)

    def check_delete(self, resource_id: str) -> None:
        """Check that the namespace has the toolchain."""
        toolchains.find_toolchain(self.cluster, resource_id)

    def create(self, manifest: ToolchainIntegration, dry_run: bool = False) -> None:
        """Create the ConfigMap."""
        toolchains.create(self.cluster, toolchain_to_config_map(manifest), dry_run)

    def apply(self, manifest: ToolchainIntegration) -> Outcome:
        """Create or update the ConfigMap."""
        return toolchains.apply(self.cluster, toolchain_to_config_map(manifest))

    def delete(self, resource_id: str) -> Sequence[str]:
        """Delete the ConfigMap. A built-in toolchain with the same ID becomes available again."""
        toolchains.delete(self.cluster, resource_id)
        return []
