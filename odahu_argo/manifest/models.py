"""Models of ModelTraining, Connection and ToolchainIntegration as in ODAHU-flow 1.0 to 1.6.

Field names are ODAHU's (odahu-flow's API reference). If versions spell a field differently, the model has both fields and a
property with the effective value. The `status` of an export from ODAHU's API is accepted and ignored. References between
manifests are checked in `resolve`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from odahu_argo import artifact_name
from odahu_argo.errors import UserError
from odahu_argo.naming import ID_PATTERN, LABEL_PATTERN
from odahu_argo.pools import PriorityName, QueueName
from odahu_argo.profile import ResourceRequirements
from odahu_argo.schedule import check_cron, check_time_zone
from odahu_argo.uri import URI_FORMS, is_of_type, is_reference, without_credentials
from odahu_argo.validation import Image, InvalidValue, Strict, find_placeholder, placeholder_message

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _id(text: str) -> str:
    if not ID_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid id: use 1 to 63 lowercase letters, digits and '-', "
            "starting and ending with a letter or digit"
        )
    return text


def _label(text: str) -> str:
    if not LABEL_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid Kubernetes label value: use 1 to 63 letters, digits and '-_.', "
            "starting and ending with a letter or digit"
        )
    return text


def _environment_name(text: str) -> str:
    if text.startswith("ODAHU_ARGO_"):
        raise ValueError(f"{text!r} is reserved: names must not start with ODAHU_ARGO_")
    if not _ENVIRONMENT_NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid environment variable name: use letters, digits and '_', not starting with a digit"
        )
    return text


def _reference(text: str) -> str:
    if not is_reference(text.strip()):
        raise ValueError(f"{text!r} is not a valid git reference: use a branch, tag or commit")
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character; remove it")
    return text


def _none_to_empty_text(values: Any) -> Any:
    return (
        {key: "" if value is None else value for key, value in values.items()} if isinstance(values, dict) else values
    )


MAX_ENTRIES = 2000
"""Limit on a list; a workflow with more entries would exceed Argo's size limit."""

Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": f"^({ID_PATTERN.pattern})$"})]
Label = Annotated[str, AfterValidator(_label), Field(json_schema_extra={"pattern": f"^({LABEL_PATTERN.pattern})$"})]
EnvironmentName = Annotated[str, AfterValidator(_environment_name)]
Text = Annotated[str, AfterValidator(_without_nul)]
Reference = Annotated[str, AfterValidator(_reference)]
Cron = Annotated[str, AfterValidator(check_cron)]
TimeZone = Annotated[str, AfterValidator(check_time_zone)]


class _Manifest(Strict, alias_generator=to_camel):
    """Base model with the camelCase field names of ODAHU's API, in which an empty text counts as a missing field."""

    @model_validator(mode="before")
    @classmethod
    def _empty_text_is_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "" not in values.values():
            return values
        optional = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: value for key, value in values.items() if value != "" or key not in optional}


class ModelIdentity(_Manifest):
    """Name and version of the model, and the template for the name of its artifact."""

    name: Label
    version: Label
    artifact_name_template: Text = artifact_name.DEFAULT_TEMPLATE

    @field_validator("artifact_name_template")
    @classmethod
    def _check_artifact_name(cls, template: str, info: ValidationInfo) -> str:
        try:
            artifact_name.check(template, info.data.get("name", "name"), info.data.get("version", "version"))
        except UserError as error:
            [problem] = error.problems
            raise InvalidValue(problem.message, problem.hint) from error
        return template


class DataBinding(_Manifest):
    """Data to download before the training to `local_path`, relative to the repository.

    The connection is `conn_name` up to ODAHU 1.4 and `connection` since 1.5.
    """

    conn_name: Id | None = None
    connection: Id | None = None
    local_path: Text
    remote_path: Text = ""

    @property
    def source(self) -> str:
        """ID of the connection in either spelling."""
        return self.conn_name or self.connection or ""


class VersionControl(_Manifest):
    """Code in git. Exports of ODAHU's API contain an empty one if the code is elsewhere."""

    connection: Id | None = None
    reference: Reference = ""


class ObjectStorage(_Manifest):
    """Code in an object store: the files under `path` in the bucket, or under the path of the connection's URI if empty."""

    connection: Id | None = None
    path: Text = ""


class AlgorithmSource(_Manifest):
    """Source of the code since ODAHU 1.5: either `vcs` or `objectStorage`."""

    vcs: VersionControl = VersionControl.model_construct()
    object_storage: ObjectStorage = ObjectStorage.model_construct()


class EnvironmentVariable(_Manifest):
    """Environment variable of the training program."""

    name: EnvironmentName
    value: Text = ""

    @field_validator("value", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return "" if value is None else value


class ModelTrainingSpec(_Manifest):
    """Specification of a training.

    Extensions of odahu-argo: `schedules` (cron schedules of repeated runs), `timezone` (their time zone, UTC by default),
    `queue` (Kueue's LocalQueue of the step `train`) and `priority` (its WorkloadPriorityClass).
    """

    model: ModelIdentity
    toolchain: Label
    vcs_name: Id | None = None
    reference: Reference = ""
    algorithm_source: AlgorithmSource = AlgorithmSource.model_construct()
    work_dir: Text = "./"
    entrypoint: Text = "main"
    hyper_parameters: dict[str, Text] = {}
    data: tuple[DataBinding, ...] = Field(default=(), max_length=MAX_ENTRIES)
    envs: tuple[EnvironmentVariable, ...] = Field(default=(), max_length=MAX_ENTRIES)
    resources: ResourceRequirements = ResourceRequirements.model_construct()
    image: Image | None = None
    output_connection: Id | None = None
    node_selector: dict[str, str] = {}
    args: tuple[Text, ...] = ()
    schedules: tuple[Cron, ...] = ()
    timezone: TimeZone | None = None
    queue: QueueName | None = None
    priority: PriorityName | None = None

    _keep_empty_values = field_validator("hyper_parameters", mode="before")(_none_to_empty_text)

    @property
    def code(self) -> VersionControl | ObjectStorage:
        """Source of the code in either spelling."""
        if self.vcs_name:
            return VersionControl.model_construct(connection=self.vcs_name, reference=self.reference)
        storage = self.algorithm_source.object_storage
        return storage if storage.connection else self.algorithm_source.vcs


class TrainingArtifact(_Manifest, extra="ignore"):
    """Result of a training: the MLflow run, the name of the artifact and the trained commit."""

    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = Field(default="", alias="commitID")


class ModelTrainingStatus(_Manifest, extra="ignore"):
    """Status of a training in exports of ODAHU's API."""

    state: str = ""
    artifacts: tuple[TrainingArtifact, ...] = ()
    message: str = ""
    reason: str = ""
    exit_code: str = ""
    pod_name: str = ""


class _Resource(_Manifest):
    """Common fields of ODAHU's API resources; all but `id` are ignored."""

    id: Id
    api_version: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    deletion_mark: bool = False


class ModelTraining(_Resource):
    """Training of a model."""

    kind: Literal["ModelTraining"] = "ModelTraining"
    spec: ModelTrainingSpec
    status: ModelTrainingStatus | None = None


class ConnectionSpec(_Manifest):
    """Address and credentials of a repository, object store or container registry.

    `endpoint` (URL of a server with the same protocol) and `secretEncoding` (encoding of `password`, `keyID`, `keySecret` and
    `publicKey` if it cannot be detected) are extensions of odahu-argo.
    """

    type: Literal["s3", "gcs", "azureblob", "git", "docker", "ecr"]
    uri: Text
    region: Text = ""
    username: Text = ""
    password: SecretStr = SecretStr("")
    key_id: SecretStr = Field(default=SecretStr(""), alias="keyID")
    key_secret: SecretStr = SecretStr("")
    role: Text = ""
    public_key: Text = ""
    reference: Reference = ""
    description: Text = ""
    web_ui_link: Text = Field(default="", alias="webUILink")
    vital: bool = False
    endpoint: Text = ""
    secret_encoding: Literal["plain", "base64"] | None = None

    @field_validator("uri")
    @classmethod
    def _matches_type(cls, uri: str, info: ValidationInfo) -> str:
        kind = info.data.get("type")
        if placeholder := find_placeholder(without_credentials(uri)):
            raise ValueError(placeholder_message(placeholder))
        if kind and not is_of_type(uri, kind):
            raise ValueError(
                f"{without_credentials(uri)!r} is not a valid URI of type {kind}; write for example {URI_FORMS[kind]}"
            )
        return uri


class Connection(_Resource):
    """Connection to an external system."""

    kind: Literal["Connection"] = "Connection"
    spec: ConnectionSpec
    status: dict[str, Any] | None = None
    _is_from_api: bool = PrivateAttr(default=False)

    @property
    def is_from_api(self) -> bool:
        """Whether a client of the API sent it. ODAHU's clients send base64 without naming the encoding."""
        return self._is_from_api

    def from_api(self) -> Self:
        """Return a copy that a client of the API sent."""
        copy = self.model_copy()
        copy._is_from_api = True
        return copy


class ToolchainIntegrationSpec(_Manifest):
    """Training program (`entrypoint`), its image and its environment variables."""

    entrypoint: Text
    default_image: Image | None = None
    additional_environments: dict[EnvironmentName, Text] = {}

    _keep_empty_values = field_validator("additional_environments", mode="before")(_none_to_empty_text)


class ToolchainIntegration(_Resource):
    """Toolchain for trainings."""

    kind: Literal["ToolchainIntegration"] = "ToolchainIntegration"
    spec: ToolchainIntegrationSpec
    status: dict[str, Any] | None = None


Manifest = ModelTraining | Connection | ToolchainIntegration
