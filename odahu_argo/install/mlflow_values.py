"""Values of the MLflow server: those of the Helm chart in templates/chart, which `setup mlflow --values` accepts too.

Names and nesting are the chart's. The chart's schema is generated from these models.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from odahu_argo import __version__, document
from odahu_argo.errors import Problem, UserError
from odahu_argo.naming import ID_PATTERN
from odahu_argo.pools import LabelKey, LabelValue, Name, Toleration
from odahu_argo.profile import Profile, VolumeSize, read_text
from odahu_argo.validation import CpuAmount, Image, InvalidValue, MemoryAmount, Strict, check_image, matching, validate

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_RESERVED_VARIABLES = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_STATIC_PREFIX")


def _check_subpath(text: str) -> str:
    if text and (not re.fullmatch(r"[A-Za-z0-9._~/-]+", text) or ".." in text.split("/")):
        raise ValueError(f"{text!r} is not a path below the connection's URI, such as mlflow")
    return text.strip("/")


def _check_host_or_origin(text: str) -> str:
    if not text or re.search(r"[\s,\"'{}$]", text):
        raise ValueError(f"{text!r} is not a host or origin: it must not contain spaces, commas, quotes, braces or $")
    return text


def _check_optional_image(text: str) -> str:
    return check_image(text) if text else text


def _check_variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(f"{text!r} is not the name of an environment variable")
    if text in _RESERVED_VARIABLES:
        raise ValueError(f"{text} is set by other values")
    return text


_QUANTITY_SCHEMA = WithJsonSchema({"type": ["string", "number"]})
Host = Annotated[str, matching(_HOST, "is not a host name, such as mlflow.example.org", may_be_empty=True)]
UrlPath = Annotated[str, matching(_PATH, "is not a path, such as /mlflow; it begins with / and does not end with /")]
Subpath = Annotated[str, AfterValidator(_check_subpath)]
HostOrOrigin = Annotated[str, AfterValidator(_check_host_or_origin)]
ObjectName = Annotated[str, matching(_HOST, "is not the name of a Kubernetes object", may_be_empty=True)]
ConnectionId = Annotated[str, matching(ID_PATTERN, "is not the ID of a connection", may_be_empty=True)]
SecretKey = Annotated[str, matching(_SECRET_KEY, "is not a key of a Secret")]
OptionalImage = Annotated[str, AfterValidator(_check_optional_image)]
Cpus = Annotated[CpuAmount, _QUANTITY_SCHEMA]
Memory = Annotated[MemoryAmount, _QUANTITY_SCHEMA]


class _ChartValues(Strict):
    model_config = ConfigDict(**{**Strict.model_config, "alias_generator": to_camel})


class RequestValues(_ChartValues):
    """Resource requests of the pod, as Kubernetes quantities."""

    cpu: Cpus = "250m"
    memory: Memory = "1Gi"


class LimitValues(_ChartValues):
    """Resource limits of the pod. Two workers use 650 MB, each further one about 250 MB."""

    cpu: Cpus = "2"
    memory: Memory = "2Gi"


class ResourceValues(_ChartValues):
    """Resources of the pod."""

    requests: RequestValues = RequestValues()
    limits: LimitValues = LimitValues()


class ArtifactValues(_ChartValues):
    """Artifact storage: the path `below` the URI of `connection`, or the claim if `connection` is empty."""

    connection: ConnectionId = "models-output"
    below: Subpath = "mlflow"


class DatabaseValues(_ChartValues):
    """Secret and key with the URI of a PostgreSQL database. Without a Secret, records are stored in SQLite on the claim."""

    secret: ObjectName = ""
    key: SecretKey = "uri"
    upgrade: bool = True


class StorageValues(_ChartValues):
    """PersistentVolumeClaim, created only if needed. An empty `storage_class` selects the cluster's default."""

    size: Annotated[VolumeSize, _QUANTITY_SCHEMA] = "10Gi"
    storage_class: ObjectName = ""


class ServiceValues(_ChartValues):
    """Port of the Service, and DNS domain of the cluster."""

    port: int = Field(default=80, ge=1, le=65535)
    cluster_domain: Host = "cluster.local"


class IngressValues(_ChartValues):
    """Ingress. `tls_secret` is the name of a Secret with the certificate of `host`."""

    enabled: bool = False
    class_name: ObjectName = ""
    host: Host = ""
    tls_secret: ObjectName = ""
    annotations: dict[str, str] = {}


class ToolchainValues(_ChartValues):
    """Registration of the toolchains `mlflow` and `mlflow-project` with this server, and their default image."""

    register_them: bool = Field(default=True, alias="register")
    image: OptionalImage = ""


class ServiceAccountValues(_ChartValues):
    """Annotations of the server's service account, for example to assign a cloud identity."""

    annotations: dict[str, str] = {}


class MlflowValues(_ChartValues):
    """All values. Every value has a default."""

    name: Name = "mlflow"
    path: UrlPath = "/mlflow"
    image: Image = f"odahu-argo-training:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    user_id: int = Field(default=1000, ge=1)
    workers: int = Field(default=2, ge=1, le=64)
    resources: ResourceValues = ResourceValues()
    artifacts: ArtifactValues = ArtifactValues()
    database: DatabaseValues = DatabaseValues()
    storage: StorageValues = StorageValues()
    service: ServiceValues = ServiceValues()
    ingress: IngressValues = IngressValues()
    allowed_hosts: tuple[HostOrOrigin, ...] = ()
    allowed_origins: tuple[HostOrOrigin, ...] = ()
    toolchains: ToolchainValues = ToolchainValues()
    service_account: ServiceAccountValues = ServiceAccountValues()
    environment: dict[Annotated[str, AfterValidator(_check_variable)], str] = {}
    pod_annotations: dict[str, str] = {}
    pod_labels: dict[LabelKey, LabelValue] = {}
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()

    @model_validator(mode="after")
    def _check_ingress(self) -> MlflowValues:
        if self.ingress.enabled and not self.ingress.host:
            raise InvalidValue("ingress.enabled requires ingress.host", "MLflow accepts only known host names")
        return self

    @property
    def keeps_files(self) -> bool:
        """Whether the server needs a PersistentVolumeClaim."""
        return not self.database.secret or not self.artifacts.connection


def load_values(file: Path | None, profile: Profile) -> MlflowValues:
    """Load the values from a file. Values that it does not set default to the profile's settings.

    Raises:
        UserError: the file cannot be read, or it contains unknown or invalid values. Reports all of them at once.
    """
    defaults = _profile_defaults(profile)
    documents = [] if file is None else document.parse(read_text(file, "values file"), str(file))
    if len(documents) > 1:
        raise UserError(Problem("a values file is a single YAML document", documents[1].location()))
    if not documents:
        return MlflowValues.model_validate(defaults)
    values, problems = validate(MlflowValues, documents[0])
    if values is None:
        raise UserError(problems)
    return MlflowValues.model_validate(_merge(defaults, values.model_dump(by_alias=True, exclude_unset=True)))


def _profile_defaults(profile: Profile) -> dict[str, Any]:
    pool = profile.pools.cpu[0]
    return {
        "image": profile.training_image,
        "imagePullSecrets": profile.image_pull_secrets,
        "userId": profile.user_id,
        "artifacts": {"connection": profile.output_connection},
        "nodeSelector": pool.node_selector,
        "tolerations": [toleration.model_dump(exclude_none=True) for toleration in pool.tolerations],
    }


def _merge(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings recursively, as Helm does; `values` take precedence."""
    merged = {**defaults, **values}
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(defaults.get(name), dict):
            merged[name] = _merge(defaults[name], value)
    return merged
