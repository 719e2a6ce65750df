"""The MLflow server's objects as YAML: what `setup mlflow` prints, without any cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import contract, naming
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.install.mlflow_values import Values
from odahu_argo.manifest.models import ToolchainIntegration, ToolchainIntegrationSpec
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.resources.toolchains import KEY, toolchain_to_config_map
from odahu_argo.templates import fill, folder

PORT = 5000
DATABASE = "sqlite:////data/mlflow.db"
ARTIFACTS = "/data/artifacts"


def mlflow_text(values: Values, namespace: str) -> str:
    """All objects of the server in `namespace`, and the toolchains that are registered with it, each a YAML document."""
    connection = values.artifacts.connection
    return fill(
        "mlflow.yaml.j2",
        v=values,
        namespace=namespace,
        arguments=arguments(values, namespace),
        environment=environment(values),
        labels={"app.kubernetes.io/name": values.name, **values.pod_labels},
        health=f"{prefix(values)}/health",
        connection_folder=f"{contract.CONNECTIONS}/{connection}",
        connection_secret=naming.connection_secret(connection),
        toolchains=[_registration(each) for each in toolchains(values, namespace)],
    )


def address(values: Values, namespace: str) -> str:
    """Where pods reach the server: the tracking URI of trainings."""
    port = "" if values.service.port == 80 else f":{values.service.port}"
    return f"http://{values.name}.{namespace}.svc.{values.service.cluster_domain}{port}{prefix(values)}"


def public_address(values: Values) -> str | None:
    """Where users reach it; None where no way leads in."""
    if not values.ingress.enabled:
        return None
    return f"{'https' if values.ingress.tls_secret else 'http'}://{values.ingress.host}{prefix(values)}"


def prefix(values: Values) -> str:
    """What stands before all paths that the server knows; empty where it is alone on its host."""
    return "" if values.path == "/" else values.path


def arguments(values: Values, namespace: str) -> list[str]:
    """The arguments of `odahu-argo mlflow-server` in the pod."""
    ours = []
    if values.artifacts.connection:
        ours.append(f"--connection={contract.CONNECTIONS}/{values.artifacts.connection}")
        ours.append(f"--below={values.artifacts.below}")
    if values.database.upgrade:
        ours.append("--upgrade")
    mlflow = ["--app-name=odahu-argo", "--host=0.0.0.0", f"--port={PORT}", f"--workers={values.workers}"]
    if not values.artifacts.connection:
        mlflow.append(f"--artifacts-destination={ARTIFACTS}")
    if prefix(values):
        mlflow.append(f"--static-prefix={prefix(values)}")
    mlflow.append(f"--allowed-hosts={','.join(_hosts(values, namespace))}")
    if origins := _origins(values):
        mlflow.append(f"--cors-allowed-origins={','.join(origins)}")
    return [*ours, "--", *mlflow]


def environment(values: Values) -> dict[str, str]:
    """Variables of the pod. None is secret."""
    always = {
        "HOME": "/tmp",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    database = {} if values.database.secret else {"MLFLOW_BACKEND_STORE_URI": DATABASE}
    return {**database, **always, **dict(sorted(values.environment.items()))}


def toolchains(values: Values, namespace: str) -> list[ToolchainIntegration]:
    """The toolchains that are to be registered: the built-in ones, which keep their records on this server."""
    if not values.toolchains.register_them:
        return []
    image = {"defaultImage": values.toolchains.image} if values.toolchains.image else {}
    variables = {contract.TRACKING_VARIABLE: address(values, namespace)}
    return [
        ToolchainIntegration(
            id=name,
            spec=ToolchainIntegrationSpec.model_validate(
                {"entrypoint": name, **image, "additionalEnvironments": variables}
            ),
        )
        for name in BUILT_IN_TOOLCHAINS
    ]


def _registration(toolchain: ToolchainIntegration) -> dict[str, str]:
    config_map = toolchain_to_config_map(toolchain)
    return {
        "name": config_map["metadata"]["name"],
        "label": naming.TOOLCHAIN_ID_LABEL,
        "id": toolchain.id,
        "key": KEY,
        "text": config_map["data"][KEY].rstrip("\n"),
    }


def _hosts(values: Values, namespace: str) -> list[str]:
    """The names by which MLflow may be asked, with any port: the Service's, this machine's (port-forward), the ingress's."""
    service = [f"{values.name}{end}" for end in ("", f".{namespace}", f".{namespace}.svc")]
    names = [*service, f"{service[-1]}.{values.service.cluster_domain}", "localhost", "127.0.0.1"]
    if values.ingress.enabled:
        names.append(values.ingress.host)
    return [form for name in names for form in (name, f"{name}:*")] + list(values.allowed_hosts)


def _origins(values: Values) -> list[str]:
    """The origins whose pages may change something: the server's own, and those that are named."""
    own = []
    if values.ingress.enabled:
        own = [f"https://{values.ingress.host}"]
        if not values.ingress.tls_secret:
            own.append(f"http://{values.ingress.host}")
    return own + list(values.allowed_origins)


VALUES = "values.yaml"
SCHEMA = "values.schema.json"
_HEAD = "# Written by `odahu-argo setup mlflow --chart`. What each value means: docs/reference/mlflow-values.md.\n"


def write_chart(target: Path, values: Values) -> None:
    """The chart as a new folder, whose `values.yaml` holds `values`.

    Raises:
        UserError: there is something of that name, or it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(Problem("is there already, and not empty", Where(str(target)), "name a new folder"))
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder("chart"), partial)
        said = values.model_dump(by_alias=True, mode="json", exclude_none=True)
        chosen = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
        (partial / VALUES).write_text(_HEAD + chosen, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(Problem(f"cannot be written: {error.strerror}", Where(str(target)))) from error


def schema_text() -> str:
    """The chart's `values.schema.json`, by which Helm refuses unknown names and values of a wrong kind."""
    schema = Values.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        if model["title"] != "Toleration":
            model["required"] = sorted(model["properties"])
    return json.dumps(_without_defaults(schema), indent=2, sort_keys=True) + "\n"


def _without_defaults(node: Any) -> Any:
    """The chart's `values.yaml` has the defaults; the models' titles and docstrings are for their readers.

    Below `properties` such a name would be a value's, and hold a schema.
    """
    if isinstance(node, list):
        return [_without_defaults(each) for each in node]
    if not isinstance(node, dict):
        return node
    is_schema = {"type", "$ref", "anyOf", "enum", "$defs"} & node.keys() and not isinstance(node.get("type"), dict)
    left = {"default", "title", "description"} if is_schema else set()
    return {key: _without_defaults(value) for key, value in node.items() if key not in left}
