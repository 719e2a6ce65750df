"""The site's settings: what an operator decides once for all trainings, read from one YAML file.

Only the file and the defaults below count. No environment variable can change a setting, so that the same manifests and
the same profile compile to the same bytes everywhere (docs/architecture.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from odahu_argo import __version__, document
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.naming import ID_PATTERN
from odahu_argo.validation import Count, Duration, Quantity, Strict, validate


def _name(text: str) -> str:
    if not ID_PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a Kubernetes name: 1 to 63 lowercase letters, digits and '-'")
    return text


Name = Annotated[str, AfterValidator(_name)]


class Resources(Strict):
    """Amounts in Kubernetes' spelling: cpu in cores (`500m`), memory in bytes (`2Gi`), gpu as a whole number."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpu: Count | None = None


class Requirements(Strict):
    """What a pod may use at most (`limits`) and what is kept for it (`requests`)."""

    limits: Resources = Resources()
    requests: Resources = Resources()


class Pool(Strict):
    """A group of nodes: the labels that select them and the taints that their pods tolerate (Kubernetes' own spelling)."""

    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str | int], ...] = ()

    @field_validator("tolerations")
    @classmethod
    def _seconds_are_numbers(cls, tolerations: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        number = "tolerationSeconds"
        return tuple({k: int(v) if k == number else v for k, v in each.items()} for each in tolerations)


class GpuPool(Pool):
    """The nodes with GPUs. `pending_timeout` ends a training that waits longer than this for a free one."""

    resource_name: str = "nvidia.com/gpu"
    pending_timeout: Duration = "30m"
    tolerations: tuple[dict[str, str | int], ...] = (
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    )


class Pools(Strict):
    """Where steps run.

    `other_steps` decides where checkout, downloads and packaging of a GPU training run. `with_training` keeps all
    steps on the GPU pool: the workspace volume is made in a zone where the training can run, at the price of a GPU node
    that is up during the download. `on_cpu` is cheaper, and right where volumes can be attached in every zone.
    """

    cpu: Pool = Pool()
    gpu: GpuPool = GpuPool()
    other_steps: Literal["with_training", "on_cpu"] = "with_training"


class Workspace(Strict):
    """The volume that the steps of a training share. `storage_class` empty takes the cluster's default."""

    size: Quantity = "20Gi"
    storage_class: str | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = "ReadWriteOnce"


class Timeouts(Strict):
    """The longest that one attempt of a step, and the workflow with all its waiting, may take."""

    checkout: Duration = "30m"
    download: Duration = "12h"
    train: Duration = "72h"
    package: Duration = "3h"
    workflow: Duration = "7d"


class Retries(Strict):
    """How often a step is tried again after a fault, such as a lost node; a user's mistake is never tried again."""

    transfer: Count = "3"
    train: Count = "1"
    first_wait: Duration = "10s"


class Keep(Strict):
    """How long finished workflows, with their status, and the pods of a finished one, with their logs, stay."""

    workflow: Duration = "30d"
    pods: Duration = "7d"


class Tracking(Strict):
    """The MLflow tracking server. `credentials_secret` names a Secret whose keys become environment variables."""

    uri: str | None = None
    credentials_secret: str | None = None


class Profile(Strict):
    """All settings; every one has a default, so an empty file, or none, is a profile.

    `restrict_executor` gives Argo's own containers the restricted security context as well; a controller that runs pods
    without its init container (an option since Argo 4.1) needs it off.
    """

    namespace: Name | None = None
    service_account: Name = "odahu-argo-training"
    runner_image: str = f"odahu-argo-runner:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    output_connection: str = "models-output"
    external_connections: tuple[str, ...] = ("models-output",)
    environment_manager: Literal["local", "virtualenv", "conda"] = "local"
    training_resources: Requirements = Requirements(
        limits=Resources(cpu="2", memory="4Gi"), requests=Resources(cpu="1", memory="2Gi")
    )
    step_resources: Requirements = Requirements(
        limits=Resources(cpu="1", memory="1Gi"), requests=Resources(cpu="250m", memory="512Mi")
    )
    pools: Pools = Pools()
    workspace: Workspace = Workspace()
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    keep: Keep = Keep()
    tracking: Tracking = Tracking()
    archive_logs: bool = True
    restrict_executor: bool = True
    user_id: int = Field(default=1000, ge=1)

    def with_external(self, names: tuple[str, ...]) -> Profile:
        """The same profile with more connections that live on the cluster."""
        return self.model_copy(update={"external_connections": (*self.external_connections, *names)})


def load(file: Path | None) -> Profile:
    """The profile in `file`, or the defaults where there is none.

    Raises:
        UserError: the file cannot be read, or it holds unknown or wrong settings; all of them are told.
    """
    if file is None:
        return Profile()
    try:
        documents = document.parse(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(Problem(f"the profile cannot be read: {reason}", Where(str(file)))) from error
    if len(documents) > 1:
        raise UserError(Problem("a profile is one document", documents[1].where()))
    if not documents:
        return Profile()
    profile, problems = validate(Profile, documents[0])
    if profile is None:
        raise UserError(problems)
    return profile
