"""The plan of a training: steps, order, nodes and limits. Immutable; the compiler and the local engine consume it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from odahu_argo.contract import TRACKING_VARIABLE, StepSpec, TrainSpec
from odahu_argo.profile import Profile


@dataclass(frozen=True, slots=True)
class Amounts:
    """CPU and memory of a container as Kubernetes quantities, and its number of GPUs."""

    cpu: str
    memory: str
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Node pools that a step may run on.

    Attributes:
        pool: Kind of the pools.
        node_selector: Labels of suitable nodes, if there is one pool. Any node is suitable if both selectors are empty.
        tolerations: Tolerations of all pools, with the field names of Kubernetes.
        any_of: Labels of the nodes of each pool, if there are several pools.
        names: Names of the pools that have one.
        gpu_resource: Name under which Kubernetes counts the GPUs of these pools.
    """

    pool: Literal["cpu", "gpu"]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, str | int], ...]
    any_of: tuple[Mapping[str, str], ...] = ()
    names: tuple[str, ...] = ()
    gpu_resource: str = ""

    @property
    def selectors(self) -> tuple[Mapping[str, str], ...]:
        """Node selectors, of which a node must match one. Any node is suitable if there are none."""
        return self.any_of or ((self.node_selector,) if self.node_selector else ())


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Maximum number of retries after faults and after interruptions, and the delay in seconds before the first retry."""

    limit: int
    first_wait: int
    interrupted: int = 10


@dataclass(frozen=True, slots=True)
class Queueing:
    """Kueue's LocalQueue and WorkloadPriorityClass of a step, and the maximum time in the queue in seconds, if any."""

    queue: str
    priority: str | None = None
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Preparation:
    """Init container that checks a step and writes what its container needs, so that any image can run the step."""

    image: str
    limits: Amounts
    requests: Amounts


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan.

    `needs` lists the steps that must finish first; `results` lists the result files of the step contract. `timeout` limits
    one attempt, and `pending_timeout` the wait for a node, both in seconds. Without a `preparation`, the image must contain
    odahu-argo.
    """

    name: str
    spec: StepSpec
    needs: tuple[str, ...]
    image: str
    limits: Amounts
    requests: Amounts
    placement: Placement
    retry: RetryPolicy
    timeout: int
    pending_timeout: int | None = None
    results: tuple[str, ...] = ()
    preparation: Preparation | None = None
    queueing: Queueing | None = None

    @property
    def kind(self) -> str:
        """Kind of the step: checkout, download, train or package."""
        return self.spec.kind

    @property
    def connection(self) -> str | None:
        """The connection that this step reads; None for the training."""
        return getattr(self.spec, "connection", None)

    @property
    def uses_tracking(self) -> bool:
        """Whether the step accesses the MLflow tracking server."""
        return self.kind in ("train", "package")


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """Public fields of a connection. `type` and `uri` are empty for an external connection."""

    id: str
    external: bool
    type: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Cron schedules of a training, in an IANA time zone."""

    crons: tuple[str, ...]
    timezone: str

    def __str__(self) -> str:
        return f"{', '.join(self.crons)} ({self.timezone})"


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of one ModelTraining. The steps are in a valid sequential order.

    `spec` is the training's specification with ODAHU's defaults, as plain data with ODAHU's field names. `defaults` names its
    fields whose values come from the profile or the toolchain.
    """

    training_id: str
    model_name: str
    model_version: str
    toolchain: str
    artifact_name_preview: str
    steps: tuple[PlannedStep, ...]
    connections: tuple[ConnectionUse, ...]
    profile: Profile
    spec: Mapping[str, Any]
    schedule: Schedule | None = None
    defaults: tuple[str, ...] = ()

    @property
    def tracking(self) -> Literal["training", "server", "workspace"]:
        """What configures MLflow tracking: the training's environment, else the profile, else nothing.

        Without a tracking server, MLflow writes to the workspace, which is deleted after success; the artifact still contains
        the model.
        """
        if self.own_tracking is not None:
            return "training"
        return "server" if self.profile.tracking.uri else "workspace"

    @property
    def own_tracking(self) -> str | None:
        """Tracking URI in the environment of the training or its toolchain, if any."""
        train = self.step("train").spec
        return train.environment.get(TRACKING_VARIABLE) if isinstance(train, TrainSpec) else None

    def step(self, name: str) -> PlannedStep:
        """Return the step with this name.

        Raises:
            KeyError: the plan has no such step.
        """
        return {step.name: step for step in self.steps}[name]

    @property
    def levels(self) -> tuple[tuple[PlannedStep, ...], ...]:
        """Steps in groups: the steps of a group can run in parallel once all earlier groups have finished."""
        finished: set[str] = set()
        remaining = list(self.steps)
        levels = []
        while remaining:
            ready = tuple(step for step in remaining if finished.issuperset(step.needs))
            levels.append(ready)
            finished.update(step.name for step in ready)
            remaining = [step for step in remaining if step.name not in finished]
        return tuple(levels)


def schedules_of(plans: Iterable[Plan]) -> list[tuple[str, str]]:
    """Return the ID and schedule of each plan that has a schedule."""
    return [(plan.training_id, str(plan.schedule)) for plan in plans if plan.schedule]
