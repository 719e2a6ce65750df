"""Namespace with connections for trainings, and helpers to run commands in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write
from tests.servers.controller import play

COMMIT = "d3d6e8ed776ed37fd2efd7a1b8d5fabdd7e3eea5"
RUN = "0123456789abcdef0123456789abcdef"
ZIP = "wine-3.0-be17d12d-df43-4588-99e7-56a0db3cad77.zip"
GROUP = ("argoproj.io", "v1alpha1")


@dataclass(frozen=True)
class Site:
    """A namespace in which trainings may run, with their connections."""

    api: client.ApiClient
    namespace: str
    folder: Path

    def run(self, *arguments: object, **options: Any) -> CommandResult:
        return odahu_argo(*arguments, "-n", self.namespace, **options)

    def manifest(self, **spec: Any) -> Path:
        return write(self.folder, training(**spec))

    def play(self, workflow: str, recording: str, run: str = RUN) -> None:
        play(self.api, self.namespace, workflow, recording, {RUN: run})

    def workflow(self, name: str) -> dict[str, Any]:
        return client.CustomObjectsApi(self.api).get_namespaced_custom_object(*GROUP, self.namespace, "workflows", name)

    def workflows(self) -> list[str]:
        found = client.CustomObjectsApi(self.api).list_namespaced_custom_object(*GROUP, self.namespace, "workflows")
        return sorted(item["metadata"]["name"] for item in found["items"])

    def remove(self, workflow: str) -> None:
        """As Argo's clean-up, or anyone with kubectl, would."""
        client.CustomObjectsApi(self.api).delete_namespaced_custom_object(*GROUP, self.namespace, "workflows", workflow)

    def make_claim(self, name: str) -> None:
        """As the controller does when it takes up a workflow."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claims = client.CoreV1Api(self.api)
        claims.create_namespaced_persistent_volume_claim(self.namespace, {"metadata": {"name": name}, "spec": spec})

    def claims(self) -> list[str]:
        found = client.CoreV1Api(self.api).list_namespaced_persistent_volume_claim(self.namespace).items
        return sorted(item.metadata.name for item in found)

    def create(self, *arguments: object, **spec: Any) -> CommandResult:
        return self.run("train", "create", "-f", self.manifest(**spec), "--no-wait", *arguments)

    def get(self, training_id: str = "wine") -> dict[str, Any]:
        result = self.run("train", "get", "--id", training_id, "-o", "json")
        assert result.code == 0, result.err
        [shown] = json.loads(result.out)
        return shown
