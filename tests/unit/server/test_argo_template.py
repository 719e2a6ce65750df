"""The step `training` of templates/odahu-templates.yaml against the API server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import yaml

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.kube.cluster import WORKFLOW
from odahu_argo.preflight import checks
from odahu_argo.profile import Profile
from tests.commands import CommandResult, odahu_argo
from tests.conftest import ROOT
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import training
from tests.servers.api import ApiClient

Serve = Callable[..., ApiClient]
TOKEN = "0123456789abcdef"
SECRET = "CANARY-secret"


@pytest.fixture
def cluster() -> InMemoryCluster:
    return InMemoryCluster("ml")


@pytest.fixture
def url(cluster: InMemoryCluster, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(checks, "check", lambda *_: ())
    return serve(KubernetesBackend(cluster, Profile())).url


@pytest.fixture
def issuer() -> Iterator[str]:
    """The URL of an OpenID provider that knows one client."""

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, {"token_endpoint": f"{address}/token"})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            is_known = (form["grant_type"], form["client_id"], form["client_secret"]) == (
                ["client_credentials"],
                ["argo"],
                [SECRET],
            )
            self.answer(200 if is_known else 401, {"id_token": TOKEN} if is_known else {"error": "invalid_client"})

        def answer(self, code: int, body: Mapping[str, str]) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever).start()
        yield address
        server.shutdown()


def run_step(tmp_path: Path, url: str, *manifests: object, **variables: str) -> CommandResult:
    """Run the command of the template with files below `tmp_path` and the variables of its Secret."""
    template = yaml.safe_load((ROOT / "templates" / "odahu-templates.yaml").read_text(encoding="utf-8"))
    container = template["spec"]["templates"][0]["container"]
    _, *command = [*container["command"], *container["args"]]
    (tmp_path / "training.yaml").write_text(yaml.safe_dump_all(manifests or [training(data=None)]))
    arguments = [str(tmp_path / Path(word).name) if word.startswith("/") else word for word in command]
    return odahu_argo(*arguments, env={"ODAHU_URL": url, "WAIT_COMPLETION": "false", **variables})


def test_submits_the_training_and_writes_its_id(tmp_path: Path, url: str, cluster: InMemoryCluster) -> None:
    result = run_step(tmp_path, url, token=TOKEN)
    assert result.code == 0, result.err
    assert (tmp_path / "training_id").read_text() == "wine"
    assert [item["metadata"]["name"] for item in cluster.list(WORKFLOW).items] == ["wine-1"]
    assert run_step(tmp_path, url, token=TOKEN).code == 0, "a repeated step finds the running training"


def test_gets_a_token_for_the_credentials_of_a_client(tmp_path: Path, url: str, issuer: str) -> None:
    client = {"client_id": "argo", "client_secret": SECRET, "issuer_url": issuer}
    assert run_step(tmp_path, url, **client).code == 0
    rejected = run_step(tmp_path, url, **{**client, "client_secret": f"{SECRET}-wrong"})
    assert (rejected.code, "rejected the request with status 401" in rejected.err) == (2, True)
    incomplete = run_step(tmp_path, url, client_id="argo", client_secret=SECRET)
    assert (incomplete.code, "belong together" in incomplete.err) == (2, True)
    assert SECRET not in rejected.out + rejected.err + incomplete.err


def test_reports_errors_of_the_inputs(tmp_path: Path, url: str) -> None:
    denied = run_step(tmp_path, url)
    assert (denied.code, "denies access" in denied.err) == (2, True)
    two = run_step(tmp_path, url, training(), {**training(), "id": "ale"}, token=TOKEN)
    assert (two.code, "trainingManifest contains 2 trainings" in two.err) == (2, True)
    assert (tmp_path / "termination-log").read_text().startswith("trainingManifest contains 2 trainings")
    wrong = run_step(tmp_path, url, token=TOKEN, WAIT_COMPLETION="yes")
    assert (wrong.code, "wait_completion is 'yes'" in wrong.err) == (2, True)
    assert not (tmp_path / "training_id").exists()
