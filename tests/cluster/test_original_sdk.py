"""The last release of ODAHU-flow's SDK against the API server on a real Kubernetes API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.manifests import training
from tests.servers.api import serving

pytestmark = pytest.mark.cluster

TOKEN = "0123456789abcdef"


def test_sdk_clients_and_models_work(site: Site, sdk: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    source = {"vcs": {"connection": "code", "reference": "develop"}}
    data = [{"connection": "wine-data", "localPath": "data/"}]
    sent = training(vcsName=None, algorithmSource=source, data=data)
    (tmp_path / "training.json").write_text(json.dumps(sent))
    environment = {**os.environ, "PYTHONPATH": str(sdk), "HOME": str(tmp_path)}
    with serving("-n", site.namespace, "--decrypt-token-file", tmp_path / "token") as address:
        script = Path(__file__).parent.parent / "server" / "sdk_script.py"
        command = [sys.executable, str(script), address, TOKEN, str(tmp_path)]
        completed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert completed.returncode == 0, completed.stderr
    output = json.loads(completed.stdout)
    assert output["connection"]["spec"]["keySecret"] == "*****"
    assert output["edited connection"]["spec"]["region"] == "eu"
    assert (output["decrypted"]["spec"]["keyID"], output["decrypted"]["spec"]["keySecret"]) == ("aWQ=", "//4AAQI=")
    assert "sdk-data" in output["connections"]
    assert output["toolchain"]["spec"]["entrypoint"] == "mlflow"
    assert output["toolchains"] == ["mlflow", "mlflow-project", "sdk-line"]
    assert (output["created"]["id"], output["created"]["status"]["state"]) == ("wine", "scheduling")
    assert output["created"]["spec"]["model"]["name"] == "wine"
    assert output["created"]["spec"]["algorithmSource"]["vcs"] == source["vcs"]
    assert output["created"]["spec"]["data"][0]["localPath"] == "data/"
    assert output["trainings"] == ["wine"]
    assert output["edited"]["spec"]["hyperParameters"] == {"alpha": "0.7"}
    assert output["deleted"][0] == "Model training wine was deleted"
    assert output["health"] == {}
    assert output["missing"] == 'Got error from server: entity "wine" is not found (status: 404)'
