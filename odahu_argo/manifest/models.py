"""ModelTraining, Connection and ToolchainIntegration as ODAHU-flow wrote them, 1.0 to 1.6.

Where the older and the newer versions spell one thing in two ways, the model has both and a property that says what is meant.
Fields carry ODAHU's names (odahu-flow's API reference). A `status` that an export of the old API holds is read and has no
effect. This module knows single documents; what they say of each other is for `resolve`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from odahu_argo import artifact_name
from odahu_argo.errors import UserError
from odahu_argo.naming import ID_PATTERN, LABEL_PATTERN
from odahu_argo.profile import ResourceRequirements
from odahu_argo.schedule import check_cron, check_time_zone
from odahu_argo.uri import FORMS, is_of_type, is_reference, without_credentials
from odahu_argo.validation import Image, InvalidValue, Strict, placeholder

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _id(text: str) -> str:
    if not ID_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid id: 1 to 63 lowercase letters, digits and '-', a letter or digit at both ends"
        )
    return text


def _label(text: str) -> str:
    if not LABEL_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid Kubernetes label value: 1 to 63 letters, digits and '-_.', "
            "a letter or digit at both ends"
        )
    return text


def _environment_name(text: str) -> str:
    if text.startswith("ODAHU_ARGO_"):
        raise ValueError(f"{text!r} is a variable of odahu-argo's own")
    if not _ENVIRONMENT_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name for an environment variable: letters, digits and '_', no digit first")
    return text


def _reference(text: str) -> str:
    if not is_reference(text.strip()):
        raise ValueError(f"{text!r} is no branch, tag or commit")
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character, which no program can be given")
    return text


def _empty_texts(values: Any) -> Any:
    return {k: "" if v is None else v for k, v in values.items()} if isinstance(values, dict) else values


MOST_ENTRIES = 2000
"""Of a list; a workflow with more would be larger than Argo takes."""

Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": f"^({ID_PATTERN.pattern})$"})]
Label = Annotated[str, AfterValidator(_label), Field(json_schema_extra={"pattern": f"^({LABEL_PATTERN.pattern})$"})]
EnvironmentName = Annotated[str, AfterValidator(_environment_name)]
Text = Annotated[str, AfterValidator(_without_nul)]
Reference = Annotated[str, AfterValidator(_reference)]
Cron = Annotated[str, AfterValidator(check_cron)]
TimeZone = Annotated[str, AfterValidator(check_time_zone)]


class _Manifest(Strict, alias_generator=to_camel):
    """A model whose fields are spelled as in ODAHU's API."""


class ModelIdentity(_Manifest):
    """What the model is called; all three decide the name of its artifact."""

    name: Label
    version: Label
    artifact_name_template: Text = artifact_name.DEFAULT_TEMPLATE

    @field_validator("artifact_name_template")
    @classmethod
    def _gives_a_file_name(cls, template: str, info: ValidationInfo) -> str:
        try:
            artifact_name.check(template, info.data.get("name", "name"), info.data.get("version", "version"))
        except UserError as error:
            [problem] = error.problems
            raise InvalidValue(problem.message, problem.hint) from error
        return template


class DataBinding(_Manifest):
    """Data to have in place before training, at `local_path` from the repository's root.

    The connection is `conn_name` up to 1.4, `connection` since.
    """

    conn_name: Id | None = None
    connection: Id | None = None
    local_path: Text
    remote_path: Text = ""

    @property
    def source(self) -> str:
        """The connection, however it was spelt."""
        return self.conn_name or self.connection or ""


class VersionControl(_Manifest):
    """Code in git. An empty one, which exports of the API hold, says nothing."""

    connection: Id | None = None
    reference: Reference = ""


class ObjectStorage(_Manifest):
    """Code in a bucket: the files below `path`, from the bucket's root; empty means the path of the connection's URI."""

    connection: Id | None = None
    path: Text = ""


class AlgorithmSource(_Manifest):
    """Where the code is, since 1.5: one of the two."""

    vcs: VersionControl = VersionControl.model_construct()
    object_storage: ObjectStorage = ObjectStorage.model_construct()


class EnvironmentVariable(_Manifest):
    """One environment variable of the training program."""

    name: EnvironmentName
    value: Text = ""

    @field_validator("value", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return "" if value is None else value


class ModelTrainingSpec(_Manifest):
    """How a model is trained.

    Two fields are ours: `schedules`, when it is to be trained anew, and `timezone`, in which these are meant; UTC where it
    is not given.
    """

    model: ModelIdentity
    toolchain: Label
    vcs_name: Id | None = None
    reference: Reference = ""
    algorithm_source: AlgorithmSource = AlgorithmSource.model_construct()
    work_dir: Text = "./"
    entrypoint: Text = "main"
    hyper_parameters: dict[str, Text] = {}
    data: tuple[DataBinding, ...] = Field(default=(), max_length=MOST_ENTRIES)
    envs: tuple[EnvironmentVariable, ...] = Field(default=(), max_length=MOST_ENTRIES)
    resources: ResourceRequirements = ResourceRequirements.model_construct()
    image: Image | None = None
    output_connection: Id | None = None
    node_selector: dict[str, str] = {}
    args: tuple[Text, ...] = ()
    schedules: tuple[Cron, ...] = ()
    timezone: TimeZone | None = None

    _keep_empty_values = field_validator("hyper_parameters", mode="before")(_empty_texts)

    @property
    def code(self) -> VersionControl | ObjectStorage:
        """Where the code is, however it was spelt."""
        if self.vcs_name:
            return VersionControl.model_construct(connection=self.vcs_name, reference=self.reference)
        stored = self.algorithm_source.object_storage
        return stored if stored.connection else self.algorithm_source.vcs


class TrainingArtifact(_Manifest, extra="ignore"):
    """What a training left: MLflow's run, the zip's name and the commit that was trained."""

    run_id: str = ""
    artifact_name: str = ""
    commit_id: str = Field(default="", alias="commitID")


class ModelTrainingStatus(_Manifest, extra="ignore"):
    """The outcome in ODAHU's words, as an export of any of its versions holds it."""

    state: str = ""
    artifacts: tuple[TrainingArtifact, ...] = ()
    message: str = ""
    reason: str = ""
    exit_code: str = ""
    pod_name: str = ""


class _Exported(_Manifest):
    """Fields that every document of ODAHU's API has; only `id` counts here."""

    id: Id
    api_version: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    deletion_mark: bool = False


class ModelTraining(_Exported):
    """One training, by its id."""

    kind: Literal["ModelTraining"] = "ModelTraining"
    spec: ModelTrainingSpec
    status: ModelTrainingStatus | None = None


class ConnectionSpec(_Manifest):
    """Where something is kept and how to get in.

    Two fields are ours: `endpoint`, the URL of a server that speaks the same protocol, and `secret_encoding`, which says how
    `password`, `keyID`, `keySecret` and `publicKey` are written where that cannot be told from the values.
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
    def _is_of_the_type(cls, uri: str, info: ValidationInfo) -> str:
        kind = info.data.get("type")
        if left := re.search(r"<[^<>/]+>", without_credentials(uri)):
            raise ValueError(placeholder(left[0]))
        if kind and not is_of_type(uri, kind):
            raise ValueError(f"{without_credentials(uri)!r} is not an address of type {kind}, such as {FORMS[kind]}")
        return uri


class Connection(_Exported):
    """One connection, by its id."""

    kind: Literal["Connection"] = "Connection"
    spec: ConnectionSpec
    status: dict[str, Any] | None = None


class ToolchainIntegrationSpec(_Manifest):
    """The program that trains (`entrypoint`), the image it is in, and environment variables it needs."""

    entrypoint: Text
    default_image: Image | None = None
    additional_environments: dict[EnvironmentName, Text] = {}

    _keep_empty_values = field_validator("additional_environments", mode="before")(_empty_texts)


class ToolchainIntegration(_Exported):
    """One toolchain, by its id."""

    kind: Literal["ToolchainIntegration"] = "ToolchainIntegration"
    spec: ToolchainIntegrationSpec
    status: dict[str, Any] | None = None


Manifest = ModelTraining | Connection | ToolchainIntegration
