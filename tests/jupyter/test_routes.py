"""HTTP routes below /odahu-argo."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml

from odahu_argo.local.home import Home
from odahu_argo.local.store import TrainingStore
from tests.conftest import ROOT
from tests.local_trainings import FLOWERS
from tests.servers.jupyter import TOKEN, Lab, jupyter_lab

SECRET = "aVerySecretKey0123"
TRAININGS = [
    {
        "kind": "ModelTraining",
        "id": name,
        "spec": {"model": {"name": "m", "version": "1"}, "toolchain": "mlflow", "vcsName": "code"},
    }
    for name in ("one", "two")
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, prepare_home: Callable[[Path], Home]) -> Iterator[Lab]:
    home = prepare_home(tmp_path_factory.mktemp("home"))
    TrainingStore(home.store_file).save(FLOWERS)
    with jupyter_lab(tmp_path_factory.mktemp("lab"), ODAHU_ARGO_HOME=str(home.root)) as found:
        yield found


def submit(lab: Lab, text: str, **more: object) -> requests.Response:
    return lab.request("POST", "", json={"path": "notes/draft.yaml", "text": text, **more})


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("PUT", ""), ("DELETE", "/flowers"), ("GET", "/flowers/log"), ("GET", "/flowers/page")],
)
def test_requires_jupyter_authentication(lab: Lab, method: str, path: str) -> None:
    for token in (None, "0" * 32):
        answer = lab.request(method, path, token)
        is_sent_to_log_in = answer.status_code == 302 and "/login" in answer.headers["Location"]
        assert answer.status_code == 403 or (path.endswith("/page") and is_sent_to_log_in), answer.status_code
        assert "flowers" not in answer.text
    assert lab.request("GET", "").json()["trainings"][0]["id"] == "flowers"


def test_rejects_cross_site_requests(lab: Lab) -> None:
    with requests.Session() as session:
        session.get(f"{lab.address}/lab?token={TOKEN}")
        assert session.get(f"{lab.address}/odahu-argo/trainings").status_code == 200
        deleted = session.delete(f"{lab.address}/odahu-argo/trainings/flowers")
        assert deleted.status_code == 403 and "_xsrf" in deleted.text
        elsewhere = {"Origin": "https://evil.example.org"}
        assert session.get(f"{lab.address}/odahu-argo/trainings", headers=elsewhere).status_code == 404
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", **elsewhere}
        upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
        assert session.get(f"{lab.address}/odahu-argo/trainings/flowers/log", headers=upgrade).status_code == 403


def test_problems_have_positions_and_no_secrets(lab: Lab) -> None:
    connection = {"type": "s3", "uri": "s3://b/p", "keyID": "AKIA", "keySecret": SECRET, "keySecrets": SECRET}
    training = {**TRAININGS[0], "spec": {**TRAININGS[0]["spec"], "outputConnection": "out"}}
    answer = submit(lab, yaml.safe_dump_all([training, {"kind": "Connection", "id": "out", "spec": connection}]))
    assert answer.status_code == 400 and SECRET not in answer.text
    problems = {item["field"]: item for item in answer.json()["problems"]}
    assert problems["spec.keySecrets"]["file"] == "notes/draft.yaml"
    assert problems["spec.keySecrets"]["line"] > problems["spec.vcsName"]["line"] > 1


def test_list_has_a_size_and_a_filter(lab: Lab) -> None:
    listed = lab.request("GET", "", params={"size": "1", "filter": "FLOWERS failed"}).json()
    assert ([found["id"] for found in listed["trainings"]], listed["matching"]) == (["flowers"], 1)
    assert listed["total"] >= 1
    assert lab.request("GET", "", params={"filter": "nothing"}).json()["trainings"] == []
    for query in ({"size": "0"}, {"size": "1001"}, {"size": "-1"}, {"size": "x"}, {"filter": "x" * 201}):
        assert lab.request("GET", "", params=query).status_code == 400, query


def test_rejects_malformed_bodies(lab: Lab) -> None:
    assert "the body must be" in lab.request("POST", "", json=["text"]).json()["problems"][0]["message"]
    assert lab.request("POST", "", data=b"{").status_code == 400
    assert submit(lab, "a: [").json()["problems"][0]["line"] == 1
    assert submit(lab, "x" * (1024 * 1024 + 1)).status_code == 413
    assert lab.request("DELETE", "/nothing").status_code == 404
    assert lab.request("DELETE", "/..%2f..%2fetc").status_code == 404


def test_selects_one_of_several_trainings(lab: Lab) -> None:
    both = yaml.safe_dump_all(TRAININGS)
    assert submit(lab, both).json()["choose"] == ["one", "two"]
    chosen = submit(lab, both, id="two").json()
    assert "choose" not in chosen and all("spec" in item["field"] for item in chosen["problems"])
    assert "does not contain training 'three'" in submit(lab, both, id="three").json()["problems"][0]["message"]


def test_reports_invalid_settings_on_request(tmp_path: Path) -> None:
    with jupyter_lab(tmp_path, "--OdahuArgo.namespace=ml", ODAHU_ARGO_HOME=str(tmp_path)) as lab:
        answer = lab.request("GET", "")
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["hint"] == "c.OdahuArgo.local = False"


def test_wheel_installs_both_extensions(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    [prefix] = tmp_path.glob("*.data/data")
    command = [sys.executable, "-m", "jupyter", "labextension", "list"]
    environment = {**os.environ, "JUPYTER_PATH": str(prefix / "share/jupyter")}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    message = listed.stdout + listed.stderr
    line = next(item for item in message[message.index(str(prefix)) :].splitlines() if "odahu-argo v" in item)
    assert "enabled" in line and "OK" in line and "(python, odahu-argo)" in line
    enabled = json.loads((prefix / "etc/jupyter/jupyter_server_config.d/odahu-argo.json").read_text())
    [module] = enabled["ServerApp"]["jpserver_extensions"]
    assert importlib.import_module(module)._jupyter_server_extension_points() == [{"module": module}]
    version = json.loads((prefix / "share/jupyter/labextensions/odahu-argo/package.json").read_text())["version"]
    assert wheel.name.startswith(f"odahu_argo-{version}-")
