"""Migration of an ODAHU installation from its API and from its custom resources."""

from __future__ import annotations

import json
import stat
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.kube.cluster import Kind
from odahu_argo.manifest.load import load
from odahu_argo.migration.export import export_cluster
from odahu_argo.migration.report import write_report
from odahu_argo.migration.tree import build_tree
from odahu_argo.profile import Profile, parse_profile
from tests.commands import CommandResult, odahu_argo
from tests.fakes.cluster import InMemoryCluster

KEY = "-----BEGIN KEY-----\nCANARY\n-----END KEY-----\n"
TIMES = {"createdAt": "2021-03-01T10:00:00Z", "updatedAt": "2021-03-01T10:00:00Z"}
GIT = {"type": "git", "uri": "git@git.example.org:ml/wine.git", "reference": "develop", "keySecret": "*****"}
DATA = {"type": "s3", "uri": "s3://wine/data", "region": "eu-central-1", "keyID": "*****", "keySecret": "*****"}
IMAGE = "odahu/odahu-flow-mlflow-toolchain:1.5.0"
TRAINING = {
    "model": {"name": "wine", "version": "1.0", "artifactNameTemplate": "{{ .Name }}.zip"},
    "toolchain": "mlflow",
    "algorithmSource": {"vcs": {"connection": "code"}, "objectStorage": {}},
    "data": [{"connection": "wine-data", "localPath": "data/"}],
    "outputConnection": "models-output",
    "workDir": "./",
    "entrypoint": "main",
    "image": IMAGE,
    "envs": [{"name": "MLFLOW_PASSWORD", "value": "p"}],
}
ANSWERS: dict[str, Any] = {
    "connection": [{"id": "code", "spec": GIT, **TIMES}, {"id": "wine-data", "spec": DATA, **TIMES}],
    "connection/code/decrypted": {"id": "code", "spec": {**GIT, "keySecret": b64encode(KEY.encode()).decode()}},
    "toolchain/integration": [
        {
            "id": "mlflow",
            "spec": {"entrypoint": "/opt/conda/bin/odahu-flow-mlflow-runner", "defaultImage": IMAGE},
            **TIMES,
        }
    ],
    "model/training": [
        {"id": "wine", "spec": TRAINING, "status": {"state": "succeeded"}, **TIMES},
        {
            "id": "ale",
            "spec": {**TRAINING, "image": "own:1", "nodeSelector": {"pool": "big"}, "purpose": "demo"},
            **TIMES,
        },
        {"id": "../../etc/cron", "spec": TRAINING, **TIMES},
    ],
    "model/packaging": [
        {"id": "wine", "spec": {"artifactName": "wine.zip", "integrationName": "docker-rest"}, **TIMES}
    ],
    "model/deployment": [],
}
"""Responses of ODAHU's API below /api/v1. Other paths are not found, and `wine-data` cannot be decrypted."""


@pytest.fixture(scope="module")
def odahu() -> Iterator[str]:
    """The URL of an ODAHU API."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v1/")
            is_denied = path == "connection/wine-data/decrypted"
            code = 200 if path in ANSWERS else 403 if is_denied else 404
            body = json.dumps(ANSWERS.get(path, {"message": "access forbidden"} if is_denied else {})).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def migrate(odahu: str, directory: Path, *options: object) -> CommandResult:
    return odahu_argo("migrate", "--from-api", odahu, "-o", directory, *options, env={"ODAHU_ARGO_CONFIG": "/nowhere"})


def test_writes_manifests_without_secrets_and_a_report(odahu: str, tmp_path: Path) -> None:
    result = migrate(odahu, tmp_path / "out")
    assert result.code == 0, result.err
    files = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert files == [
        "REPORT.md",
        "connections/code.yaml",
        "connections/wine-data.yaml",
        "other/ModelPackaging/wine.yaml",
        "toolchains/mlflow.yaml",
        "trainings/ale.yaml",
        "trainings/wine.yaml",
    ]
    manifests = load([tmp_path / "out"])
    specs = {written.manifest.id: written.manifest.spec for written in manifests.trainings}
    assert (specs["wine"].image, specs["ale"].image) == (None, "own:1")
    assert len(manifests.connections) == 2
    packaging = yaml.safe_load((tmp_path / "out/other/ModelPackaging/wine.yaml").read_text())
    assert packaging["spec"] == ANSWERS["model/packaging"][0]["spec"]
    texts = "".join(file.read_text() for file in (tmp_path / "out").rglob("*.*"))
    assert "CANARY" not in texts and b64encode(KEY.encode()).decode()[:20] not in texts and "*****" not in texts
    report = (tmp_path / "out/REPORT.md").read_text()
    for line in (
        "`connections/code.yaml`: create its Secret with keySecret, which were not exported",
        "`connections/wine-data.yaml`: create its Secret with keyID, keySecret, which were not exported",
        "spec.nodeSelector: no CPU node pool of the profile has the selector pool=big",
        "spec.purpose: unknown field 'purpose' is ignored",
        "`trainings/wine.yaml`: the environment variables MLFLOW_PASSWORD may be secrets; their values are in the file",
        "`toolchains/mlflow.yaml`: overrides the built-in toolchain",
        "`ModelTraining '../../etc/cron'`: not exported: the ID is not valid",
        "`other/ModelPackaging/wine.yaml`",
        "| ModelTraining | 3 |",
    ):
        assert line in report, report


def test_does_not_write_into_a_directory_with_files(odahu: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    result = migrate(odahu, tmp_path)
    assert (result.code, "--overwrite" in result.err) == (2, True)
    assert migrate(odahu, tmp_path, "--overwrite").code == 0


def test_external_secrets_refer_to_the_store(odahu: str, tmp_path: Path) -> None:
    assert "secret store" in migrate(odahu, tmp_path / "a", "--secrets", "external").err
    profile = tmp_path / "profile.yaml"
    profile.write_text("external_secrets: {store: vault, prefix: odahu/}\n")
    assert migrate(odahu, tmp_path / "b", "--secrets", "external", "--profile", profile).code == 0
    secret = yaml.safe_load((tmp_path / "b/external-secrets/code.yaml").read_text())
    assert secret["spec"]["dataFrom"] == [{"extract": {"key": "odahu/code"}}]
    report = (tmp_path / "b/REPORT.md").read_text()
    assert "store it under the key odahu/code with the properties type, uri, reference, keySecret" in report
    assert "CANARY" not in "".join(file.read_text() for file in (tmp_path / "b").rglob("*.*"))


def test_secrets_are_in_private_files_only_on_request(odahu: str, tmp_path: Path) -> None:
    result = migrate(odahu, tmp_path / "out", "--secrets", "files")
    assert (result.code, "contains secret values" in result.err) == (0, True)
    file = tmp_path / "out/connections/code.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [loaded] = load([file]).connections
    assert loaded.manifest.spec.key_secret.get_secret_value() == b64encode(KEY.encode()).decode()
    report = (tmp_path / "out/REPORT.md").read_text()
    assert "Do not commit them" in report
    assert "`connections/wine-data.yaml`: set keyID, keySecret: the values could not be read" in report


@pytest.mark.parametrize("options", [(), ("--from-api", "http://127.0.0.1:9", "--from-cluster", "x")])
def test_requires_one_source(options: tuple[str, ...], tmp_path: Path) -> None:
    result = odahu_argo("migrate", "-o", tmp_path / "out", *options)
    assert (result.code, "--from-api or --from-cluster" in result.err) == (2, True)


def test_exports_custom_resources_of_all_namespaces() -> None:
    cluster = InMemoryCluster("default")
    for namespace, name, plural, spec in (
        ("odahu-flow", "Connection", "connections", {**GIT, "keySecret": KEY}),
        ("odahu-flow-training", "ModelTraining", "modeltrainings", TRAINING),
        ("odahu-flow-deployment", "ModelDeployment", "modeldeployments", {"image": "x"}),
    ):
        kind = Kind(name, plural, "odahuflow.odahu.org", "v1alpha1", namespaced=False)
        cluster.in_namespace(namespace).create(kind, {"metadata": {"name": "code"}, "spec": spec})
    export = export_cluster(cluster, "old")
    tree = build_tree(export, Profile(), "apply")
    assert {"connections/code.yaml", "trainings/code.yaml", "other/ModelDeployment/code.yaml"} == set(tree.files)
    [connection] = tree.connections
    assert connection.spec.key_secret.get_secret_value() == KEY
    assert not any("CANARY" in text for text in tree.files.values())
    assert "# Migration from context old" in write_report(export, tree, "apply")


def test_credentials_in_a_uri_are_removed() -> None:
    cluster = InMemoryCluster("default")
    kind = Kind("Connection", "connections", "odahuflow.odahu.org", "v1alpha1", namespaced=False)
    spec = {"type": "git", "uri": "https://user:CANARY@git.example.org/x.git"}
    cluster.create(kind, {"metadata": {"name": "code"}, "spec": spec})
    tree = build_tree(export_cluster(cluster, "old"), parse_profile("{}", "p"), "omit")
    assert "CANARY" not in tree.files["connections/code.yaml"]
    assert any("the credentials in uri" in decision.text for decision in tree.decisions)
