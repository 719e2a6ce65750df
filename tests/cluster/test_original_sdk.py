"""ODAHU-flow's own SDK, as it was last published, against the API on a real Kubernetes API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.conftest import ROOT
from tests.manifests import training
from tests.servers.api import serving

pytestmark = pytest.mark.cluster

RELEASE = "odahu-flow-sdk==1.6.1"
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="session")
def sdk() -> Path:
    """The SDK's package without what it asks for: of that its clients and models use what we have."""
    folder = ROOT / "build" / RELEASE.replace("==", "-")
    if not (folder / "odahuflow").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        ended = subprocess.run([*pip, "--target", str(folder), RELEASE], capture_output=True, text=True)
        if ended.returncode:
            is_required = "odahu-flow-sdk" in os.environ.get("ODAHU_ARGO_REQUIRE", "").split(",")
            (pytest.fail if is_required else pytest.skip)(f"pip cannot fetch {RELEASE}: {ended.stderr}")
    return folder


def test_the_original_clients_work_and_their_models_parse_every_answer(site: Site, sdk: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    source = {"vcs": {"connection": "code", "reference": "develop"}}
    data = [{"connection": "wine-data", "localPath": "data/"}]
    sent = training(vcsName=None, algorithmSource=source, data=data)
    (tmp_path / "training.json").write_text(json.dumps(sent))
    environment = {**os.environ, "PYTHONPATH": str(sdk), "HOME": str(tmp_path)}
    with serving("-n", site.namespace, "--decrypt-token-file", tmp_path / "token") as address:
        script = Path(__file__).parent.parent / "server" / "sdk_script.py"
        command = [sys.executable, str(script), address, TOKEN, str(tmp_path)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["connection"]["spec"]["keySecret"] == "*****"
    assert said["edited connection"]["spec"]["region"] == "eu"
    assert (said["decrypted"]["spec"]["keyID"], said["decrypted"]["spec"]["keySecret"]) == ("aWQ=", "c2VjcmV0")
    assert "sdk-data" in said["connections"]
    assert said["toolchain"]["spec"]["entrypoint"] == "mlflow"
    assert said["toolchains"] == ["mlflow", "mlflow-project", "sdk-line"]
    assert (said["created"]["id"], said["created"]["status"]["state"]) == ("wine", "scheduling")
    assert said["created"]["spec"]["model"]["name"] == "wine"
    assert said["created"]["spec"]["algorithmSource"]["vcs"] == source["vcs"]
    assert said["created"]["spec"]["data"][0]["localPath"] == "data/"
    assert said["trainings"] == ["wine"]
    assert said["edited"]["spec"]["hyperParameters"] == {"alpha": "0.7"}
    assert said["deleted"][0] == "Model training wine was deleted"
    assert said["health"] == {}
    assert said["missing"].startswith("Got error from server: training 'wine' does not exist")
