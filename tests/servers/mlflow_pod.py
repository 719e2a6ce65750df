"""The pod of `setup mlflow` as a local process: same command line and variables, other paths and port."""

from __future__ import annotations

import os
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import contract
from odahu_argo.manifest.models import Connection
from odahu_argo.resources.connection_secret import connection_to_secret
from tests.commands import odahu_argo
from tests.servers.programs import Server, free_port, serving

NAMESPACE = "ml"


@dataclass(frozen=True)
class MlflowPod:
    """A running server and the manifests of `setup mlflow`."""

    server: Server
    objects: list[dict[str, Any]]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def toolchains(self) -> str:
        """Return the registered ToolchainIntegrations with the local address instead of the Service."""
        service = f"http://mlflow.{NAMESPACE}.svc.cluster.local"
        texts = [item["data"]["toolchain.json"] for item in self.objects if item["kind"] == "ConfigMap"]
        assert all(service in text for text in texts)
        return "\n---\n".join(text.replace(service, self.url) for text in texts)


@contextmanager
def mlflow_pod(
    folder: Path, values: Mapping[str, Any], connection: Mapping[str, str] | None, secrets: Mapping[str, str]
) -> Iterator[MlflowPod]:
    """Run the server of these values. `secrets` maps `name/key` to values of environment variables."""
    for name in ("data", "tmp", "connections"):
        (folder / name).mkdir(parents=True)
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    printed = odahu_argo("setup", "mlflow", "-n", NAMESPACE, "--values", file)
    assert printed.code == 0, printed.err
    for secret in [*(connection or {}).values(), *secrets.values()]:
        assert len(secret) < 20 or "://" in secret or secret not in printed.out
    if connection:
        mount(folder / "connections" / "models-output", connection)
    objects = list(yaml.safe_load_all(printed.out))
    [deployment] = [item for item in objects if item["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    port, log = free_port(), folder / "server.log"
    places = {
        contract.CONNECTIONS: str(folder / "connections"),
        "/data": str(folder / "data"),
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={port}",
    }
    command = [_moved(item, places) for item in [*container["command"], *container["args"]]]
    variables = {item["name"]: _value(item, secrets) for item in container["env"]}
    variables = {name: _moved(value, places) for name, value in variables.items()} | {"HOME": str(folder / "tmp")}
    shell = ["sh", "-c", 'exec "$@" >"$0" 2>&1', str(log), sys.executable, *command[1:]]
    with serving(port, *shell, patience=240, TMPDIR=str(folder / "tmp"), **variables) as server:
        yield MlflowPod(server, objects, log)


def mount(folder: Path, fields: Mapping[str, str]) -> None:
    """Write the connection's Secret as Kubernetes mounts it."""
    secret = connection_to_secret(Connection.model_validate({"kind": "Connection", "id": "x", "spec": dict(fields)}))
    folder.mkdir(parents=True)
    for name, value in secret["data"].items():
        (folder / name).write_bytes(b64decode(value))


def peak_memory(process: int) -> int:
    """Return the largest peak resident memory in bytes of the process and its children."""
    import psutil

    tree = [process, *(child.pid for child in psutil.Process(process).children(recursive=True))]
    return max(_peak(item) for item in tree)


def _peak(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")] or ["VmHWM: 0 kB"]
    return int(line.split()[1]) * 1024


def _value(variable: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if "value" in variable:
        return str(variable["value"])
    wanted = variable["valueFrom"]["secretKeyRef"]
    return secrets[f"{wanted['name']}/{wanted['key']}"]


def _moved(text: str, places: Mapping[str, str]) -> str:
    for original, replacement in places.items():
        text = text.replace(original, replacement)
    return text


def without_keys() -> dict[str, str]:
    """Return the environment without the credentials of cloud clients."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_", "AZURE_"))}
