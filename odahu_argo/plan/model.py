"""The plan: what will happen, in which order, where, and how long it may take. Frozen; Argo and the local engine read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from odahu_argo.contract import TRACKING_VARIABLE, StepSpec, TrainSpec
from odahu_argo.profile import Profile


@dataclass(frozen=True, slots=True)
class Amounts:
    """CPU cores, bytes of memory (Kubernetes' spelling) and the GPUs of one container."""

    cpu: str
    memory: str
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """The nodes that a step may run on: `pool` as the profile calls it, with its selector and tolerations."""

    pool: Literal["cpu", "gpu"]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried again after a fault, and how many seconds pass before the first time."""

    limit: int
    first_wait: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `needs` names the steps that must have ended; `results` the files it leaves, as the contract calls them.

    `timeout` bounds one attempt in seconds; `pending_timeout`, where there is one, the wait for a node.
    """

    name: str
    spec: StepSpec
    needs: tuple[str, ...]
    image: str
    limits: Amounts
    requests: Amounts
    placement: Placement
    retry: Retry
    timeout: int
    pending_timeout: int | None = None
    results: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """checkout, download, train or package."""
        return self.spec.kind

    @property
    def connection(self) -> str | None:
        """The one connection that this step may read; a training has none."""
        return getattr(self.spec, "connection", None)

    @property
    def uses_tracking(self) -> bool:
        """Whether the step speaks to the MLflow tracking server."""
        return self.kind in ("train", "package")


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """A connection as far as it may be shown: no field of it is secret. `type` and `uri` are empty for an external one."""

    id: str
    external: bool
    type: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a training is to be run anew: cron schedules, meant in a time zone of the IANA database."""

    crons: tuple[str, ...]
    timezone: str

    def __str__(self) -> str:
        return f"{', '.join(self.crons)} ({self.timezone})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one ModelTraining. Steps stand in an order in which they could run one after the other.

    `spec` is what the training's author wrote, with ODAHU's defaults, as plain data by ODAHU's names.
    """

    training_id: str
    model_name: str
    model_version: str
    toolchain: str
    artifact_name_preview: str
    steps: tuple[Step, ...]
    connections: tuple[ConnectionUse, ...]
    profile: Profile
    spec: Mapping[str, Any]
    schedule: Schedule | None = None

    @property
    def tracking(self) -> Literal["training", "server", "workspace"]:
        """Who says where MLflow keeps its records: the training's environment, else the profile, else nobody.

        Then it keeps them in the workspace, which is gone after a success; the model is in the zip all the same.
        """
        if self.own_tracking is not None:
            return "training"
        return "server" if self.profile.tracking.uri else "workspace"

    @property
    def own_tracking(self) -> str | None:
        """The tracking server that the environment of the training or its toolchain names."""
        train = self.step("train").spec
        return train.environment.get(TRACKING_VARIABLE) if isinstance(train, TrainSpec) else None

    def step(self, name: str) -> Step:
        """The step of that name; KeyError where there is none."""
        return {step.name: step for step in self.steps}[name]

    @property
    def levels(self) -> tuple[tuple[Step, ...], ...]:
        """The steps in groups: those of one group can run side by side once all groups before have ended."""
        done: set[str] = set()
        remaining = list(self.steps)
        levels = []
        while remaining:
            ready = tuple(step for step in remaining if done.issuperset(step.needs))
            levels.append(ready)
            done.update(step.name for step in ready)
            remaining = [step for step in remaining if step.name not in done]
        return tuple(levels)


def schedules_of(plans: Iterable[Plan]) -> list[tuple[str, str]]:
    """The plans that have a schedule, each by id and in words."""
    return [(plan.training_id, str(plan.schedule)) for plan in plans if plan.schedule]
