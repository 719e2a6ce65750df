"""Local run with real steps: an MLflow project in a git repository, training data in a bucket, and manifests for both."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.git import git
from tests.servers.mlflow_project import write_project
from tests.servers.s3 import KEY_ID, KEY_SECRET, Bucket
from tests.servers.step_runner import StepRunner


@dataclass(frozen=True)
class LocalProject:
    """Repository and bucket of a training, and the home of the local engine."""

    folder: Path
    commit: str
    bucket: Bucket

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def home(self) -> Path:
        return self.folder / "ada's ü home"

    def manifests(self, **spec: Any) -> Path:
        """Write the manifests. Keyword arguments override fields of the training's spec."""
        training = {
            "kind": "ModelTraining",
            "id": "wine",
            "spec": {
                "model": {"name": "wine", "version": "1.0"},
                "toolchain": "mlflow",
                "vcsName": "code",
                "workDir": "project",
                "data": [{"connName": "wine-data", "localPath": "project/"}],
                "hyperParameters": {"data": "project/data.csv"},
                "envs": [{"name": "GREETING", "value": "hello {{ x }} $(y)"}],
                **spec,
            },
        }
        code = {"type": "git", "uri": self.repository.as_uri(), "reference": "main"}
        encoded = base64.b64encode(KEY_SECRET.encode()).decode()
        data = self.bucket.fields("data/", keyID=KEY_ID, keySecret=encoded)
        connections = [
            {"kind": "Connection", "id": "code", "spec": code},
            {"kind": "Connection", "id": "wine-data", "spec": data},
        ]
        file = self.folder / "manifests.yaml"
        file.write_text(yaml.safe_dump_all([training, *connections]))
        return file


@pytest.fixture
def local_project(
    step_runner: StepRunner, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalProject:
    """A committed project without training data, and an empty bucket."""
    repository = tmp_path / "repository"
    write_project(repository)
    (repository / "project" / "data.csv").unlink()
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Add project")
    project = LocalProject(tmp_path, git(repository, "rev-parse", "HEAD"), bucket)
    monkeypatch.setenv("ODAHU_ARGO_HOME", str(project.home))
    return project
