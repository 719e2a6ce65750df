"""Profile: an operator's settings for all trainings, read from one YAML file.

No environment variable changes a setting, so the same manifests and profile compile to the same bytes on every machine
(docs/architecture.md).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from odahu_argo import __version__, document, quantity
from odahu_argo.document import Document
from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.pools import Name, Pools, PriorityName, QueueName, WaitLimit
from odahu_argo.teams import Team
from odahu_argo.uri import without_credentials
from odahu_argo.validation import (
    Count,
    CpuAmount,
    Duration,
    Image,
    MemoryAmount,
    Strict,
    validate,
)

_TRACKING_URI = re.compile(r"(https?|databricks|postgresql|mysql|mssql)(\+\w+)?://.")


def _check_volume_size(text: str) -> str:
    if quantity.amount(text) == 0:
        raise ValueError("must be larger than 0")
    return quantity.check_bytes(text, small_unit="Gi")


def _check_tracking_uri(text: str) -> str:
    if text != "databricks" and not _TRACKING_URI.match(text):
        raise ValueError(
            f"{text!r} is not the URI of a tracking server that pods can reach, such as http://mlflow.ml.svc:5000"
        )
    if without_credentials(text) != text or "{{" in text or "$" in text:
        raise ValueError("must not contain credentials or templates; put credentials in the Secret credentials_secret")
    return text


def _check_server_url(text: str) -> str:
    if not re.match(r"https?://[^/\s@]+(/|$)", text):
        raise ValueError(f"{without_credentials(text)!r} is not a server URL, such as https://argo.example.org")
    return text.rstrip("/")


def _check_grace_period(text: str) -> str:
    if not 5 <= quantity.seconds(text) <= 3600:
        raise ValueError("must be from 5s to 1h")
    return text


GracePeriod = Annotated[Duration, AfterValidator(_check_grace_period)]
VolumeSize = Annotated[str, AfterValidator(_check_volume_size)]
ServerUrl = Annotated[str, AfterValidator(_check_server_url)]
TrackingUri = Annotated[str, AfterValidator(_check_tracking_uri)]


class ResourceList(Strict):
    """Kubernetes quantities: CPU in cores (`500m`), memory in bytes (`2Gi`), and GPUs as a whole number."""

    cpu: CpuAmount | None = None
    memory: MemoryAmount | None = None
    gpu: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_text_is_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value != "" or name not in cls.model_fields}


class ResourceRequirements(Strict):
    """Resource limits and requests of a container, as in Kubernetes."""

    limits: ResourceList = ResourceList.model_construct()
    requests: ResourceList = ResourceList.model_construct()


class WorkspaceVolume(Strict):
    """Volume that the steps of a training share. Without `storage_class`, the cluster's default class applies."""

    size: VolumeSize = "20Gi"
    storage_class: str | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = "ReadWriteOnce"


class Timeouts(Strict):
    """Maximum duration of one attempt of each step, and of the workflow including waiting times."""

    checkout: Duration = "30m"
    download: Duration = "12h"
    train: Duration = "72h"
    package: Duration = "3h"
    workflow: Duration = "7d"


class Retries(Strict):
    """Retries of a step. User errors are not retried.

    `transfer` and `train` limit retries after faults that a step reports, such as an unreachable server. `interrupted`
    limits retries after interruptions: a drained or lost node, an eviction, a preemption, a deleted pod.
    """

    transfer: int = Field(default=3, ge=0, le=100)
    train: int = Field(default=1, ge=0, le=100)
    interrupted: int = Field(default=10, ge=0, le=100)
    first_wait: Duration = "10s"


class Retention(Strict):
    """Retention of finished workflows with their status, and of their pods with the logs."""

    workflow: Duration = "30d"
    pods: Duration = "14d"


class TrackingSettings(Strict):
    """MLflow tracking server.

    Without `uri`, and unless the training's environment specifies a server, MLflow stores its records in the workspace.
    `url` is the server's URL for users, used in links, and defaults to `uri`. The keys of the Secret `credentials_secret`
    become environment variables.
    """

    uri: TrackingUri | None = None
    url: ServerUrl | None = None
    credentials_secret: str | None = None


class ArgoSettings(Strict):
    """Argo Server and Argo's artifact repository.

    `url` is Argo Server's URL for users. It is used for links to its UI and to read statuses that the controller offloads to
    its database, with the token in `ARGO_TOKEN`, as for the `argo` CLI. `log_connection` is the ID of a connection to the
    controller's artifact repository, from which logs of deleted pods are read.
    """

    url: ServerUrl | None = None
    log_connection: str | None = None


class ExternalSecrets(Strict):
    """External Secrets store with the connections.

    `render` writes an ExternalSecret for each connection if `store` is set. The key of a connection in the store is `prefix`
    followed by the connection's ID, with one property per field.
    """

    store: str | None = None
    kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    prefix: str = ""
    refresh: Duration = "1h"


def _requirements(cpu: tuple[str, str], memory: tuple[str, str]) -> ResourceRequirements:
    """Build default requests and limits. Skips validation, which would cost 10% of the startup time."""
    requests, limits = (ResourceList.model_construct(cpu=c, memory=m) for c, m in zip(cpu, memory, strict=True))
    return ResourceRequirements.model_construct(limits=limits, requests=requests)


TRAINING_RESOURCES = _requirements(cpu=("1", "2"), memory=("2Gi", "4Gi"))
STEP_RESOURCES = _requirements(cpu=("250m", "1"), memory=("512Mi", "1Gi"))


class Profile(Strict):
    """All settings. Every setting has a default, so an empty file is a valid profile.

    `runner_image` runs checkout, downloads and packaging; `training_image` trains unless the training or its toolchain
    specifies an image; `controller_image` runs the recorder. `restrict_executor` applies the restricted security context
    to Argo's own containers; disable it if the controller runs pods without an init container (an option since Argo 4.1).
    `environment_manager` selects the packages of MLflow projects: `auto` uses those of the image if they fulfil the
    project's environment file and otherwise builds an environment, `local` always uses those of the image, and the other
    values always build one. With `local`, `strict_environment` makes differences to the file an error. `environments_claim`
    is a PersistentVolumeClaim that keeps built environments for other trainings.
    `queue` and `priority` are the names of Kueue's LocalQueue and WorkloadPriorityClass of trainings that set none.
    `queue_timeout` stops a training that waits longer in a queue. `teams` are their quotas, for `setup queues`.
    `grace_period` is the time from SIGTERM to SIGKILL when a pod is stopped. With `fail_fast`, a download that failed for
    good ends the other downloads.
    With `recorder`, `setup` installs the recorder, which keeps each training's last status. `artifact_format` is the format
    of trained models: `tar.gz` for ODAHU 1.1 and later, `zip` for ODAHU 1.0; the name is the same.
    """

    namespace: Name | None = None
    service_account: Name = "odahu-argo-training"
    runner_image: Image = f"odahu-argo-runner:{__version__}"
    training_image: Image = f"odahu-argo-training:{__version__}"
    controller_image: Image = f"odahu-argo-controller:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    output_connection: str = "models-output"
    artifact_format: Literal["tar.gz", "zip"] = "tar.gz"
    external_connections: tuple[str, ...] = ()
    environment_manager: Literal["auto", "local", "uv", "virtualenv", "conda"] = "auto"
    strict_environment: bool = False
    environments_claim: Name | None = None
    training_resources: ResourceRequirements = TRAINING_RESOURCES
    step_resources: ResourceRequirements = STEP_RESOURCES
    parallelism: int = Field(default=8, ge=1, le=2000)
    pools: Pools = Pools.model_construct()
    queue: QueueName | None = None
    priority: PriorityName | None = None
    queue_timeout: WaitLimit = "none"
    teams: tuple[Team, ...] = ()
    workspace: WorkspaceVolume = WorkspaceVolume.model_construct()
    timeouts: Timeouts = Timeouts.model_construct()
    retries: Retries = Retries.model_construct()
    keep: Retention = Retention.model_construct()
    tracking: TrackingSettings = TrackingSettings.model_construct()
    argo: ArgoSettings = ArgoSettings.model_construct()
    external_secrets: ExternalSecrets = ExternalSecrets.model_construct()
    grace_period: GracePeriod = "2m"
    fail_fast: bool = True
    archive_logs: bool = True
    restrict_executor: bool = True
    recorder: bool = True
    user_id: int = Field(default=1000, ge=1, le=2**31 - 1)

    @field_validator("training_resources", "step_resources", mode="before")
    @classmethod
    def _fill_in_default_resources(cls, given: Any, info: ValidationInfo) -> Any:
        default = TRAINING_RESOURCES if info.field_name == "training_resources" else STEP_RESOURCES
        if not isinstance(given, dict) or not all(isinstance(amounts, dict | None) for amounts in given.values()):
            return given
        merged = default.model_dump(exclude_none=True)
        for kind, amounts in given.items():
            defaults = merged.get(kind, {})
            specified = {
                name: amount
                for name, amount in (amounts or {}).items()
                if amount not in (None, "") or name not in defaults
            }
            merged[kind] = {**defaults, **specified}
        return merged

    @field_validator("training_resources", "step_resources")
    @classmethod
    def _check_default_resources(cls, resources: ResourceRequirements) -> ResourceRequirements:
        for name in ("cpu", "memory"):
            limit, request = getattr(resources.limits, name), getattr(resources.requests, name)
            if quantity.amount(request) > quantity.amount(limit):
                raise ValueError(f"the {name} request of {request} exceeds the limit of {limit}")
        if resources.limits.gpu or resources.requests.gpu:
            raise ValueError("a default cannot include GPUs; request them in the training")
        return resources

    @model_validator(mode="after")
    def _check_teams(self) -> Profile:
        names = [team.name for team in self.teams]
        pools = {pool.name: pool for pool in (*self.pools.cpu, *self.pools.gpu) if pool.name}
        if duplicate := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two teams have the name {duplicate!r}; rename one of them")
        for team in self.teams:
            if unknown := next((name for name in team.quota if name not in pools), None):
                known = ", ".join(pools) or "none: set the name of a pool"
                raise ValueError(
                    f"team {team.name!r} has a quota of {unknown!r}, which is no node pool; pools: {known}"
                )
        return self

    def is_external(self, connection: str) -> bool:
        """Return whether the connection exists on the cluster and needs no manifest."""
        return connection in (*self.external_connections, self.output_connection)

    def with_external(self, connections: tuple[str, ...]) -> Profile:
        """Return a copy with additional external connections."""
        return self.model_copy(update={"external_connections": (*self.external_connections, *connections)})


def load_profile(file: Path | None) -> Profile:
    """Load the profile from a file; without a file, return the defaults.

    Raises:
        UserError: the file cannot be read, or it contains unknown or invalid settings. Reports all of them at once.
    """
    return Profile.model_construct() if file is None else parse_profile(read_text(file), str(file))


def read_text(file: Path, description: str = "profile") -> str:
    """Read a UTF-8 file. `description` names its content in the error message.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserError(Problem(f"cannot read the {description}: {reason}", Location(str(file)))) from error


def parse_profile(text: str, source: str) -> Profile:
    """Parse a profile. `source` is the file name in error messages.

    Raises:
        UserError: the text contains unknown or invalid settings. Reports all of them at once.
    """
    documents = document.parse(text, source)
    if len(documents) > 1:
        raise UserError(Problem("a profile is a single YAML document", documents[1].location()))
    if not documents:
        return Profile()
    written = _with_lines_of_single_pools(documents[0])
    profile, problems = validate(Profile, written)
    if profile is None:
        raise UserError(replace(problem, location=_as_written(problem.location, written)) for problem in problems)
    return profile


def _with_lines_of_single_pools(written: Document) -> Document:
    """Add the lines of a pool that is not in a list under the paths of a list: `pools.gpu[0].tolerations`."""
    single = {
        (*path[:2], 0, *path[2:]): line
        for path, line in written.lines.items()
        if path[:1] == ("pools",) and len(path) > 2 and isinstance(path[2], str)
    }
    return replace(written, lines={**written.lines, **single})


def _as_written(location: Location, written: Document) -> Location:
    """Return the location of a field without the index of a pool that is not in a list."""
    pools = written.value.get("pools") if isinstance(written.value, dict) else None
    field = location.field or ""
    for kind in ("cpu", "gpu"):
        if isinstance(pools, dict) and isinstance(pools.get(kind), dict):
            field = field.replace(f"pools.{kind}[0]", f"pools.{kind}")
    return replace(location, field=field or None)
