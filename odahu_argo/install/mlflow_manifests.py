"""Manifests and Helm chart of the MLflow server. Pure functions of the values, without a cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import contract, naming
from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.install.mlflow_values import MlflowValues
from odahu_argo.manifest.models import ToolchainIntegration, ToolchainIntegrationSpec
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.resources.toolchains import TOOLCHAIN_KEY, toolchain_to_config_map
from odahu_argo.templates import find_directory, render

PORT = 5000
DATABASE = "sqlite:////data/mlflow.db"
ARTIFACTS = "/data/artifacts"
SCHEMA = "values.schema.json"
_VALUES = "values.yaml"
_VALUES_HEADER = "# Written by `odahu-argo setup mlflow --chart`. Reference: docs/reference/mlflow-values.md.\n"


def server_manifests(values: MlflowValues, namespace: str) -> str:
    """Return the objects of the server in `namespace` and its registered toolchains as YAML documents."""
    connection = values.artifacts.connection
    return render(
        "mlflow.yaml.j2",
        v=values,
        namespace=namespace,
        arguments=server_arguments(values, namespace),
        environment=_server_environment(values),
        labels={"app.kubernetes.io/name": values.name, **values.pod_labels},
        health=f"{_path_prefix(values)}/health",
        connection_folder=f"{contract.CONNECTIONS}/{connection}",
        connection_secret=naming.connection_secret(connection),
        toolchains=[_toolchain_values(toolchain) for toolchain in _toolchains(values, namespace)],
    )


def internal_url(values: MlflowValues, namespace: str) -> str:
    """Return the server's URL for pods: the tracking URI of trainings."""
    port = "" if values.service.port == 80 else f":{values.service.port}"
    return f"http://{values.name}.{namespace}.svc.{values.service.cluster_domain}{port}{_path_prefix(values)}"


def external_url(values: MlflowValues) -> str | None:
    """Return the server's URL for users, or None without an Ingress."""
    if not values.ingress.enabled:
        return None
    return f"{'https' if values.ingress.tls_secret else 'http'}://{values.ingress.host}{_path_prefix(values)}"


def server_arguments(values: MlflowValues, namespace: str) -> list[str]:
    """Return the arguments of `odahu-argo mlflow-server` in the pod; those after `--` are for `mlflow server`."""
    options = []
    if values.artifacts.connection:
        options.append(f"--connection={contract.CONNECTIONS}/{values.artifacts.connection}")
        options.append(f"--below={values.artifacts.below}")
    if values.database.upgrade:
        options.append("--upgrade")
    mlflow_options = ["--app-name=odahu-argo", "--host=0.0.0.0", f"--port={PORT}", f"--workers={values.workers}"]
    if not values.artifacts.connection:
        mlflow_options.append(f"--artifacts-destination={ARTIFACTS}")
    if prefix := _path_prefix(values):
        mlflow_options.append(f"--static-prefix={prefix}")
    mlflow_options.append(f"--allowed-hosts={','.join(_allowed_hosts(values, namespace))}")
    if origins := _allowed_origins(values):
        mlflow_options.append(f"--cors-allowed-origins={','.join(origins)}")
    return [*options, "--", *mlflow_options]


def _path_prefix(values: MlflowValues) -> str:
    return "" if values.path == "/" else values.path


def _allowed_hosts(values: MlflowValues, namespace: str) -> list[str]:
    """Return the host names that MLflow accepts, with any port: of the Service, of port forwarding, and of the Ingress."""
    service = [f"{values.name}{suffix}" for suffix in ("", f".{namespace}", f".{namespace}.svc")]
    hosts = [*service, f"{service[-1]}.{values.service.cluster_domain}", "localhost", "127.0.0.1"]
    if values.ingress.enabled:
        hosts.append(values.ingress.host)
    return [pattern for host in hosts for pattern in (host, f"{host}:*")] + list(values.allowed_hosts)


def _allowed_origins(values: MlflowValues) -> list[str]:
    """Return the origins whose pages can write: the server's own and the configured ones."""
    own = []
    if values.ingress.enabled:
        own = [f"https://{values.ingress.host}"]
        if not values.ingress.tls_secret:
            own.append(f"http://{values.ingress.host}")
    return own + list(values.allowed_origins)


def _server_environment(values: MlflowValues) -> dict[str, str]:
    fixed = {
        "HOME": "/tmp",  # noqa: S108  # a volume of the pod
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    database = {} if values.database.secret else {"MLFLOW_BACKEND_STORE_URI": DATABASE}
    return {**database, **fixed, **dict(sorted(values.environment.items()))}


def _toolchains(values: MlflowValues, namespace: str) -> list[ToolchainIntegration]:
    """Return the built-in toolchains with this server as their tracking server, unless they are not to be registered."""
    if not values.toolchains.register_them:
        return []
    image = {"defaultImage": values.toolchains.image} if values.toolchains.image else {}
    variables = {contract.TRACKING_VARIABLE: internal_url(values, namespace)}
    return [
        ToolchainIntegration(
            id=name,
            spec=ToolchainIntegrationSpec.model_validate(
                {"entrypoint": name, **image, "additionalEnvironments": variables}
            ),
        )
        for name in BUILT_IN_TOOLCHAINS
    ]


def _toolchain_values(toolchain: ToolchainIntegration) -> dict[str, str]:
    config_map = toolchain_to_config_map(toolchain)
    return {
        "name": config_map["metadata"]["name"],
        "label": naming.TOOLCHAIN_ID_LABEL,
        "id": toolchain.id,
        "key": TOOLCHAIN_KEY,
        "text": config_map["data"][TOOLCHAIN_KEY].rstrip("\n"),
    }


def write_chart(target: Path, values: MlflowValues) -> None:
    """Write the Helm chart with these values to a new or empty directory. On failure nothing is left behind.

    Raises:
        UserError: the target exists and is not an empty directory, or it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(
                Problem("already exists and is not empty", Location(str(target)), "specify a new directory")
            )
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(find_directory("chart"), partial)
        chart_values = values.model_dump(by_alias=True, mode="json", exclude_none=True)
        text = yaml.safe_dump(chart_values, sort_keys=False, allow_unicode=True)
        (partial / _VALUES).write_text(_VALUES_HEADER + text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(Problem(f"cannot write the chart: {error.strerror}", Location(str(target)))) from error


def values_schema() -> str:
    """Return the chart's `values.schema.json`, with which Helm rejects unknown and invalid values."""
    schema = MlflowValues.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        if model["title"] != "Toleration":
            model["required"] = sorted(model["properties"])
    return json.dumps(_without_annotations(schema), indent=2, sort_keys=True) + "\n"


def _without_annotations(node: Any) -> Any:
    """Remove defaults, titles and descriptions from a schema, but not the properties of these names.

    The chart's `values.yaml` contains the defaults.
    """
    if isinstance(node, list):
        return [_without_annotations(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_schema = {"type", "$ref", "anyOf", "enum", "$defs"} & node.keys() and not isinstance(node.get("type"), dict)
    removed = {"default", "title", "description"} if is_schema else set()
    return {key: _without_annotations(value) for key, value in node.items() if key not in removed}
