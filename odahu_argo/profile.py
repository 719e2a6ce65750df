"""The site's settings: what an operator decides once for all trainings, read from one YAML file.

Only the file and the defaults below count. No environment variable can change a setting, so that the same manifests and
the same profile compile to the same bytes everywhere (docs/architecture.md).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from odahu_argo import __version__, document, quantity
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.naming import ID_PATTERN, LABEL_PATTERN
from odahu_argo.uri import without_credentials
from odahu_argo.validation import Count, Duration, Image, Quantity, Strict, shaped, validate

__all__ = ["UNLIMITED", "LabelKey", "LabelValue", "Name", "ServerUrl", "TrackingUri", "VolumeSize", "WaitLimit"]


_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def _wait_limit(text: str) -> str:
    if text != UNLIMITED and quantity.seconds(text) == 0:
        raise ValueError(f"must be longer than nothing, or {UNLIMITED}")
    return text


def _volume_size(text: str) -> str:
    if quantity.amount(text) < SMALLEST_VOLUME:
        raise ValueError(f"{text} are bytes; write for example {text}Gi")
    return text


def _tracking_uri(text: str) -> str:
    if text != "databricks" and not re.match(r"(https?|databricks|postgresql|mysql|mssql)(\+\w+)?://.", text):
        raise ValueError(f"{text!r} is no tracking server that pods can reach, such as http://mlflow.ml.svc:5000")
    if without_credentials(text) != text or "{{" in text or "$" in text:
        raise ValueError("must hold no credentials and no template; credentials belong in credentials_secret")
    return text


def _server_url(text: str) -> str:
    if not re.match(r"https?://[^/\s@]+(/|$)", text):
        raise ValueError(f"{without_credentials(text)!r} is no address of a server, such as https://argo.example.org")
    return text.rstrip("/")


UNLIMITED = "none"
SMALLEST_VOLUME = 2**20
Name = Annotated[str, shaped(ID_PATTERN, "is not a Kubernetes name: 1 to 63 lowercase letters, digits and '-'")]
LabelKey = Annotated[str, shaped(_LABEL_KEY, "is not a Kubernetes label name, such as node.example.org/pool")]
LabelValue = Annotated[str, shaped(LABEL_PATTERN, "is not a Kubernetes label value", may_be_empty=True)]
WaitLimit = Annotated[str, AfterValidator(_wait_limit)]
VolumeSize = Annotated[Quantity, AfterValidator(_volume_size)]
ServerUrl = Annotated[str, AfterValidator(_server_url)]
TrackingUri = Annotated[str, AfterValidator(_tracking_uri)]


class Resources(Strict):
    """Amounts in Kubernetes' spelling: cpu in cores (`500m`), memory in bytes (`2Gi`), gpu as a whole number."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpu: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_text_is_absent(cls, values: Any) -> Any:
        return {k: v for k, v in values.items() if v != ""} if isinstance(values, dict) else values


class Requirements(Strict):
    """What a pod may use at most (`limits`) and what is kept for it (`requests`)."""

    limits: Resources = Resources.model_construct()
    requests: Resources = Resources.model_construct()


class Toleration(Strict):
    """A taint that pods tolerate, in Kubernetes' own spelling."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: int | None = None  # Kubernetes' name


_FOR_GPUS = Toleration.model_construct(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")


class Pool(Strict):
    """A group of nodes: the labels that select them and the taints that their pods tolerate."""

    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()


class GpuPool(Pool):
    """The nodes with GPUs. `pending_timeout` ends a step that waits longer than this for a free one;
    `none` is for Argo 4.0, whose definitions refuse such a limit."""

    resource_name: LabelKey = "nvidia.com/gpu"
    pending_timeout: WaitLimit = "30m"
    tolerations: tuple[Toleration, ...] = (_FOR_GPUS,)


class Pools(Strict):
    """Where steps run.

    `other_steps` decides where checkout, downloads and packaging of a GPU training run. `on_cpu` is right where volumes
    can be attached in every zone. `with_training` keeps all steps on the GPU pool: the workspace volume is made in a zone
    where the training can run, at the price of a GPU node that is up during the download.
    """

    cpu: Pool = Pool.model_construct()
    gpu: GpuPool = GpuPool.model_construct()
    other_steps: Literal["on_cpu", "with_training"] = "on_cpu"


class Workspace(Strict):
    """The volume that the steps of a training share. `storage_class` empty takes the cluster's default."""

    size: VolumeSize = "20Gi"
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

    transfer: int = Field(default=3, ge=0, le=100)
    train: int = Field(default=1, ge=0, le=100)
    first_wait: Duration = "10s"


class Keep(Strict):
    """How long finished workflows, with their status, and the pods of a finished one, with their logs, stay."""

    workflow: Duration = "30d"
    pods: Duration = "14d"


class Tracking(Strict):
    """The MLflow tracking server. `credentials_secret` names a Secret whose keys become environment variables.

    Without `uri`, and where the training's own environment names no server, MLflow keeps its records in the workspace.
    `url` is where users see it, for links, where that is not `uri`.
    """

    uri: TrackingUri | None = None
    url: ServerUrl | None = None
    credentials_secret: str | None = None


class Argo(Strict):
    """What stands beside Argo's controller.

    `url` is Argo Server's address as users see it, for links to its UI and for statuses that the controller keeps in its
    database; its token is read from `ARGO_TOKEN`, as Argo's own command line does. `log_connection` names the connection
    whose object store is the controller's artifact repository, where logs are read from when their pods are gone.
    """

    url: ServerUrl | None = None
    log_connection: str | None = None


class ExternalSecrets(Strict):
    """Where External Secrets finds connections, for `render` to write an ExternalSecret for each; without `store` none.

    The secret of a connection is called `prefix` and the connection's id, and holds a property for each of its fields.
    """

    store: str | None = None
    kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    prefix: str = ""
    refresh: Duration = "1h"


def _requirements(cpu: tuple[str, str], memory: tuple[str, str]) -> Requirements:
    """Requests and limits. Defaults are right as they stand: to validate them would cost each start a tenth of its time."""
    requests, limits = (Resources.model_construct(cpu=c, memory=m) for c, m in zip(cpu, memory, strict=True))
    return Requirements.model_construct(limits=limits, requests=requests)


TRAINING_RESOURCES = _requirements(cpu=("1", "2"), memory=("2Gi", "4Gi"))
STEP_RESOURCES = _requirements(cpu=("250m", "1"), memory=("512Mi", "1Gi"))


class Profile(Strict):
    """All settings; every one has a default, so an empty file, or none, is a profile.

    `runner_image` moves files and packages; `training_image` trains where neither the training nor its toolchain names one.
    `restrict_executor` gives Argo's own containers the restricted security context as well; a controller that runs pods
    without its init container (an option since Argo 4.1) needs it off. `recorder` lets `setup` install what remembers each
    training's last status.
    """

    namespace: Name | None = None
    service_account: Name = "odahu-argo-training"
    runner_image: Image = f"odahu-argo-runner:{__version__}"
    training_image: Image = f"odahu-argo-training:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    output_connection: str = "models-output"
    external_connections: tuple[str, ...] = ()
    environment_manager: Literal["local", "virtualenv", "conda"] = "local"
    training_resources: Requirements = TRAINING_RESOURCES
    step_resources: Requirements = STEP_RESOURCES
    parallelism: int = Field(default=8, ge=1)
    pools: Pools = Pools.model_construct()
    workspace: Workspace = Workspace.model_construct()
    timeouts: Timeouts = Timeouts.model_construct()
    retries: Retries = Retries.model_construct()
    keep: Keep = Keep.model_construct()
    tracking: Tracking = Tracking.model_construct()
    argo: Argo = Argo.model_construct()
    external_secrets: ExternalSecrets = ExternalSecrets.model_construct()
    archive_logs: bool = True
    restrict_executor: bool = True
    recorder: bool = True
    user_id: int = Field(default=1000, ge=1)

    @field_validator("training_resources", "step_resources", mode="before")
    @classmethod
    def _keep_what_is_not_said(cls, given: Any, info: ValidationInfo) -> Any:
        default = TRAINING_RESOURCES if info.field_name == "training_resources" else STEP_RESOURCES
        if not isinstance(given, dict) or not all(isinstance(part, dict | None) for part in given.values()):
            return given
        usual = default.model_dump(exclude_none=True)
        said = {part: {k: v for k, v in (amounts or {}).items() if v is not None} for part, amounts in given.items()}
        return {part: {**usual.get(part, {}), **said.get(part, {})} for part in {**usual, **said}}

    @field_validator("training_resources", "step_resources")
    @classmethod
    def _can_be_had(cls, given: Requirements) -> Requirements:
        for name in ("cpu", "memory"):
            limit, request = getattr(given.limits, name), getattr(given.requests, name)
            if quantity.amount(request) > quantity.amount(limit):
                raise ValueError(f"the {name} request of {request} is above the limit of {limit}")
        if given.limits.gpu or given.requests.gpu:
            raise ValueError("a GPU is for a training to ask for, not for a default")
        return given

    def is_external(self, connection: str) -> bool:
        """Whether the connection lives on the cluster: it is listed, or it is where this site's models go."""
        return connection in (*self.external_connections, self.output_connection)

    def with_external(self, names: tuple[str, ...]) -> Profile:
        """The same profile with more connections that live on the cluster."""
        return self.model_copy(update={"external_connections": (*self.external_connections, *names)})


def load(file: Path | None) -> Profile:
    """The profile in `file`, or the defaults where there is none.

    Raises:
        UserError: the file cannot be read, or it holds unknown or wrong settings; all of them are told.
    """
    return Profile.model_construct() if file is None else parse(read(file), str(file))


def read(file: Path, what: str = "profile") -> str:
    """The text of a profile's file, or of another that says what it is.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(Problem(f"the {what} cannot be read: {reason}", Where(str(file)))) from error


def parse(text: str, name: str) -> Profile:
    """The profile that a text holds; `name` is what problems call it.

    Raises:
        UserError: it holds unknown or wrong settings; all of them are told.
    """
    documents = document.parse(text, name)
    if len(documents) > 1:
        raise UserError(Problem("a profile is one document", documents[1].where()))
    if not documents:
        return Profile()
    profile, problems = validate(Profile, documents[0])
    if profile is None:
        raise UserError(problems)
    return profile
