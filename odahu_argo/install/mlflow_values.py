"""What can be said of an MLflow server: the values of the Helm chart in templates/chart, which `setup mlflow` takes as well.

The names are the chart's. One file of values therefore does for both, and the chart's schema is made of these models.
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
from odahu_argo.profile import LabelKey, LabelValue, Name, Profile, Toleration, VolumeSize, read
from odahu_argo.validation import Image, InvalidValue, Quantity, Strict, check_image, shaped, validate

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SERVED = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_STATIC_PREFIX")


def _below(text: str) -> str:
    if text and (not re.fullmatch(r"[A-Za-z0-9._~/-]+", text) or ".." in text.split("/")):
        raise ValueError(f"{text!r} is no path below the connection's URI, such as mlflow")
    return text.strip("/")


def _listed(text: str) -> str:
    if not text or re.search(r"[\s,\"'{}$]", text):
        raise ValueError(f"{text!r} is no host or origin: it may hold no blank, comma, quote, brace or $")
    return text


def _maybe_image(text: str) -> str:
    return check_image(text) if text else text


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(f"{text!r} is no name of an environment variable")
    if text in _SERVED:
        raise ValueError(f"{text} is set from the other values")
    return text


_AMOUNT = WithJsonSchema({"type": ["string", "number"]})
Host = Annotated[str, shaped(_HOST, "is no host name, such as mlflow.example.org", may_be_empty=True)]
UrlPath = Annotated[str, shaped(_PATH, "is no path, such as /mlflow; it begins with / and does not end with one")]
Below = Annotated[str, AfterValidator(_below)]
Listed = Annotated[str, AfterValidator(_listed)]
ObjectName = Annotated[str, shaped(_HOST, "is not the name of a Kubernetes object", may_be_empty=True)]
ConnectionId = Annotated[str, shaped(ID_PATTERN, "is not the id of a connection", may_be_empty=True)]
SecretKey = Annotated[str, shaped(_KEY, "is no key of a Secret")]
MaybeImage = Annotated[str, AfterValidator(_maybe_image)]
Amount = Annotated[Quantity, _AMOUNT]


class _Values(Strict):
    model_config = ConfigDict(**{**Strict.model_config, "alias_generator": to_camel})


class Requests(_Values):
    """What is kept for the pod: CPU in cores, memory in bytes, in Kubernetes' spelling."""

    cpu: Amount = "250m"
    memory: Amount = "1Gi"


class Limits(_Values):
    """The most that the pod may take. Two workers took 650 MB; each further one takes about 250 MB."""

    cpu: Amount = "2"
    memory: Amount = "2Gi"


class Resources(_Values):
    """What the server is given."""

    requests: Requests = Requests()
    limits: Limits = Limits()


class Artifacts(_Values):
    """Where artifacts go: `connection`'s bucket, in the path `below` its URI; with no connection, onto the claim."""

    connection: ConnectionId = "models-output"
    below: Below = "mlflow"


class Database(_Values):
    """The Secret, and its key, that holds a PostgreSQL address; without one SQLite keeps the records on the claim."""

    secret: ObjectName = ""
    key: SecretKey = "uri"
    upgrade: bool = True


class Storage(_Values):
    """The claim, made only where something is kept on it. `storage_class` empty takes the cluster's default."""

    size: Annotated[VolumeSize, _AMOUNT] = "10Gi"
    storage_class: ObjectName = ""


class Service(_Values):
    """The port inside of the cluster, and the cluster's domain."""

    port: int = Field(default=80, ge=1, le=65535)
    cluster_domain: Host = "cluster.local"


class Ingress(_Values):
    """The way in from outside. `tls_secret` is a Secret with the certificate of `host`."""

    enabled: bool = False
    class_name: ObjectName = ""
    host: Host = ""
    tls_secret: ObjectName = ""
    annotations: dict[str, str] = {}


class Toolchains(_Values):
    """Whether `mlflow` and `mlflow-project` are registered with this server, and the image that they train in by default."""

    register_them: bool = Field(default=True, alias="register")
    image: MaybeImage = ""


class ServiceAccount(_Values):
    """Of the server's account: by them clouds give it an identity."""

    annotations: dict[str, str] = {}


class Values(_Values):
    """All values; every one has a default."""

    name: Name = "mlflow"
    path: UrlPath = "/mlflow"
    image: Image = f"odahu-argo-training:{__version__}"
    image_pull_secrets: tuple[str, ...] = ()
    user_id: int = Field(default=1000, ge=1)
    workers: int = Field(default=2, ge=1, le=64)
    resources: Resources = Resources()
    artifacts: Artifacts = Artifacts()
    database: Database = Database()
    storage: Storage = Storage()
    service: Service = Service()
    ingress: Ingress = Ingress()
    allowed_hosts: tuple[Listed, ...] = ()
    allowed_origins: tuple[Listed, ...] = ()
    toolchains: Toolchains = Toolchains()
    service_account: ServiceAccount = ServiceAccount()
    environment: dict[Annotated[str, AfterValidator(_variable)], str] = {}
    pod_annotations: dict[str, str] = {}
    pod_labels: dict[LabelKey, LabelValue] = {}
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()

    @model_validator(mode="after")
    def _can_be_reached(self) -> Values:
        if self.ingress.enabled and not self.ingress.host:
            raise InvalidValue("ingress.enabled needs ingress.host", "MLflow answers only by the names that it knows")
        return self

    @property
    def keeps_files(self) -> bool:
        """Whether anything is kept on the claim."""
        return not self.database.secret or not self.artifacts.connection


def load(file: Path | None, profile: Profile) -> Values:
    """The values of a file; what it does not say is taken from the profile, where that knows it, else the default.

    Raises:
        UserError: the file cannot be read, or holds unknown or wrong values; all of them are told.
    """
    known = _of_profile(profile)
    if file is None:
        return Values.model_validate(known)
    documents = document.parse(read(file, "file of values"), str(file))
    if len(documents) > 1:
        raise UserError(Problem("values are one document", documents[1].where()))
    if not documents:
        return Values.model_validate(known)
    values, problems = validate(Values, documents[0])
    if values is None:
        raise UserError(problems)
    return Values.model_validate(_over(known, values.model_dump(by_alias=True, exclude_unset=True)))


def _of_profile(profile: Profile) -> dict[str, Any]:
    pool = profile.pools.cpu
    return {
        "image": profile.training_image,
        "imagePullSecrets": profile.image_pull_secrets,
        "userId": profile.user_id,
        "artifacts": {"connection": profile.output_connection},
        "nodeSelector": pool.node_selector,
        "tolerations": [each.model_dump(exclude_none=True) for each in pool.tolerations],
    }


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """What is said above in the place of what is said below; mappings are joined, as Helm joins them."""
    joined = {k: _over(below[k], v) for k, v in above.items() if isinstance(v, dict) and isinstance(below.get(k), dict)}
    return {**below, **above, **joined}
