"""The last release of odahuflowctl against the API server on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.manifests import training
from tests.servers.api import signed_in
from tests.waiting import eventually

pytestmark = pytest.mark.cluster

CONNECTION = {
    "kind": "Connection",
    "id": "wine-code",
    "spec": {"type": "git", "uri": "https://git.example.org/ml/wine.git", "reference": "main"},
}


def test_odahuflowctl_manages_connections_and_trainings(site: Site, odahuflowctl: str, tmp_path: Path) -> None:
    connection, manifest = tmp_path / "connection.json", tmp_path / "training.json"
    connection.write_text(json.dumps(CONNECTION))
    source = {"vcs": {"connection": "wine-code", "reference": "main"}}
    data = [{"connection": "wine-data", "localPath": "data/"}]
    spelling = training(vcsName=None, algorithmSource=source, data=data)
    manifest.write_text(json.dumps({"kind": "ModelTraining"} | spelling))
    environment = {**os.environ, "HOME": str(tmp_path)}
    with signed_in("-n", site.namespace) as server:

        def run(group: str, *arguments: object) -> subprocess.CompletedProcess[str]:
            command = [odahuflowctl, group, "--url", server.url, "--token", str(server.token), *map(str, arguments)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

        def state() -> str:
            return run("training", "get", "--id", "wine", "-o", "jsonpath=[*].status.state").stdout.strip()

        created = run("connection", "create", "-f", connection)
        assert created.returncode == 0, created.stderr
        assert "https://git.example.org/ml/wine.git" in run("connection", "get", "--id", "wine-code").stdout
        submitted = run("training", "create", "-f", manifest, "--no-wait")
        assert submitted.returncode == 0, submitted.stderr
        assert site.workflows() == ["wine-1"]
        assert state() == "scheduling"
        site.play("wine-1", "succeeded")
        assert eventually(lambda: state() == "succeeded")
        assert run("training", "delete", "--id", "wine").returncode == 0
        assert site.workflows() == []
        missing = run("training", "get", "--id", "wine")
        assert missing.returncode != 0
        assert 'entity "wine" is not found' in missing.stdout + missing.stderr
