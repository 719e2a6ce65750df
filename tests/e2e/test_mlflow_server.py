"""The server of `setup mlflow` as a local process: with PostgreSQL and a bucket, and with one volume.

It uses the printed command line and variables. A training uses it through the registered toolchain.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.commands import odahu_argo
from tests.servers.browser import Visit
from tests.servers.git import git
from tests.servers.mlflow_pod import MlflowPod, mlflow_pod, peak_memory, without_keys
from tests.servers.mlflow_project import write_project
from tests.servers.postgres import PASSWORD, Postgres
from tests.servers.s3 import KEY_SECRET, Bucket

pytestmark = pytest.mark.timeout(900)

HOST = "ml.example.org"
VALUES = {"database": {"secret": "db"}, "ingress": {"enabled": True, "host": HOST, "tlsSecret": "certificate"}}


@pytest.fixture(scope="module")
def artifact_bucket(s3_endpoint: str) -> Bucket:
    bucket = Bucket(s3_endpoint, "mlflow-artifacts")
    bucket.create()
    return bucket


@pytest.fixture(scope="module")
def pod(postgres: Postgres, artifact_bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowPod]:
    uri = postgres.uri.replace("postgresql://", "postgres://")
    folder = tmp_path_factory.mktemp("pod")
    with mlflow_pod(folder, VALUES, artifact_bucket.fields("models"), {"db/uri": uri}) as pod:
        yield pod


def fetch(url: str, data: bytes | None = None, method: str | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        url, data, {name.replace("_", "-").title(): value for name, value in headers.items()}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


SEARCH = "/mlflow/api/2.0/mlflow/experiments/search"
SEARCH_BODY = json.dumps({"max_results": 10}).encode()


def test_pages_and_api_are_served_only_below_the_path(pod: MlflowPod) -> None:
    status, page = fetch(f"{pod.url}/mlflow/")
    assert status == 200 and b"static-files/static/js/" in page
    [script] = [part for part in page.decode().split('"') if part.endswith(".js") and "/main." in part][:1]
    assert fetch(f"{pod.url}/mlflow/{script.removeprefix('/mlflow/')}")[0] == 200
    assert fetch(f"{pod.url}/mlflow/health") == (200, b"OK")
    assert fetch(pod.url + SEARCH, SEARCH_BODY, content_type="application/json")[0] == 200
    assert {fetch(pod.url + path)[0] for path in ("/", "/health", "/api/2.0/mlflow/experiments/search")} == {404}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("mlflow", 200),
        ("mlflow.ml.svc.cluster.local", 200),
        ("mlflow.ml:80", 200),
        (HOST, 200),
        ("localhost:5000", 200),
        ("evil.example.org", 403),
        ("mlflow.other.svc.cluster.local", 403),
    ],
)
def test_rejects_other_host_names(pod: MlflowPod, name: str, status: int) -> None:
    assert fetch(f"{pod.url}/mlflow/", host=name)[0] == status
    assert fetch(f"{pod.url}/mlflow/health", host="10.1.2.3:5000") == (200, b"OK")


@pytest.mark.parametrize(
    ("origin", "status"), [(f"https://{HOST}", 200), (f"http://{HOST}", 403), ("https://evil.example.org", 403)]
)
def test_rejects_changes_from_other_origins(pod: MlflowPod, origin: str, status: int) -> None:
    url = pod.url + SEARCH.replace("/api/", "/ajax-api/")
    assert fetch(url, SEARCH_BODY, host=HOST, origin=origin, content_type="application/json")[0] == status


def test_training_stores_run_and_model_without_credentials(
    pod: MlflowPod, artifact_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path / "repository")
    git(tmp_path / "repository", "init", "--quiet", "--initial-branch=main")
    git(tmp_path / "repository", "add", "--all")
    git(tmp_path / "repository", "commit", "--quiet", "--message", "the project")
    code = {"type": "git", "uri": (tmp_path / "repository").as_uri(), "reference": "main"}
    spec = {
        "model": {"name": "wine", "version": "1.0"},
        "toolchain": "mlflow",
        "vcsName": "code",
        "workDir": "project",
        "hyperParameters": {"data": "project/data.csv", "alpha": "0.25"},
    }
    manifests: list[dict[str, Any]] = [
        {"kind": "Connection", "id": "code", "spec": code},
        {"kind": "ModelTraining", "id": "wine", "spec": spec},
    ]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests) + "\n---\n" + pod.toolchains())
    environment = without_keys() | {"ODAHU_ARGO_HOME": str(tmp_path / "home")}
    result = odahu_argo(
        "local", "train", "run", "-f", file, "--output-dir", tmp_path / "out", "-o", "json", env=environment
    )
    assert result.code == 0, result.err
    assert len(list((tmp_path / "out").iterdir())) == 1

    from mlflow import MlflowClient

    # Otherwise download_artifacts creates a database in this folder, whatever the client's URI.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{pod.url}/mlflow")
    client = MlflowClient(tracking_uri=f"{pod.url}/mlflow")
    [experiment] = [item for item in client.search_experiments() if item.name == "wine"]
    assert experiment.artifact_location.startswith("mlflow-artifacts:/")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_id in result.out
    assert (run.data.params["alpha"], run.data.metrics["mean"]) == ("0.25", 6.0)
    assert run.data.tags["training_id"] == "wine"
    keys = artifact_bucket.keys()
    assert keys and all(key.startswith("models/mlflow/") for key in keys)
    assert [key for key in keys if key.endswith("/MLmodel")]
    [sample] = [key for key in keys if key.endswith("model/head_input.pkl")]
    held = client.download_artifacts(run.info.run_id, "model/head_input.pkl", str(tmp_path))
    assert Path(held).read_bytes() == artifact_bucket.get(sample)


def test_browser_shows_experiment(pod: MlflowPod, visit: Callable[..., Visit]) -> None:
    made = f"{pod.url}/mlflow/api/2.0/mlflow/experiments/create"
    assert fetch(made, b'{"name": "seen-in-a-browser"}', content_type="application/json")[0] == 200
    tab = visit(f"{pod.url}/mlflow/#/experiments")
    tab.wait_for("body", "seen-in-a-browser")
    paths = {urlsplit(address).path for address in tab.requests if address.startswith(pod.url)}
    assert any(path.startswith("/mlflow/ajax-api/") for path in paths)
    assert {path.split("/")[1] for path in paths} == {"mlflow"}
    rejected = [
        line for line in pod.log.read_text().splitlines() if "GET /mlflow/ajax-api/" in line and " 200 " not in line
    ]
    assert all("/users/current HTTP/1.1" in line for line in rejected)  # MLflow's question whether it has accounts
    assert len(tab.complaints) <= len(rejected)
    tab.complaints.clear()


def test_large_file_is_not_buffered_in_memory(pod: MlflowPod, artifact_bucket: Bucket) -> None:
    fetch(f"{pod.url}/mlflow/api/2.0/mlflow-artifacts/artifacts/first", b"a", "PUT")
    before = peak_memory(pod.server.process.pid)
    large = bytes(160 * 2**20)
    assert fetch(f"{pod.url}/mlflow/api/2.0/mlflow-artifacts/artifacts/large", large, "PUT")[0] == 200
    assert peak_memory(pod.server.process.pid) - before < len(large) / 2
    status, content = fetch(f"{pod.url}/mlflow/api/2.0/mlflow-artifacts/artifacts/large")
    assert (status, len(content)) == (200, len(large))
    assert artifact_bucket.client.head_object(Bucket=artifact_bucket.name, Key="models/mlflow/large")[
        "ContentLength"
    ] == len(large)


def test_log_and_command_lines_contain_no_secret(pod: MlflowPod) -> None:
    import psutil

    top = psutil.Process(pod.server.process.pid)
    lines = [" ".join(item.cmdline()) for item in [top, *top.children(recursive=True)]]
    shown = pod.log.read_text() + "\n".join(lines)
    assert "storing artifacts in s3://mlflow-artifacts/models/mlflow" in shown
    assert "warning" not in pod.log.read_text().split("Uvicorn running")[0]
    assert PASSWORD not in shown
    assert KEY_SECRET not in shown


def test_volume_keeps_all_data_after_a_restart(tmp_path: Path) -> None:
    values = {"path": "/", "artifacts": {"connection": ""}, "workers": 1}
    with mlflow_pod(tmp_path, values, None, {}) as pod:
        assert fetch(f"{pod.url}/health") == (200, b"OK")
        created = fetch(
            f"{pod.url}/api/2.0/mlflow/experiments/create", b'{"name": "mine"}', content_type="application/json"
        )
        assert created[0] == 200, created
        assert fetch(f"{pod.url}/api/2.0/mlflow-artifacts/artifacts/a/b", b"kept", "PUT")[0] == 200
        pod.server.stop()
        assert pod.server.process.returncode in (0, -15)
        pod.server.start()
        found = fetch(f"{pod.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=mine")
        assert found[0] == 200, found
        assert fetch(f"{pod.url}/api/2.0/mlflow-artifacts/artifacts/a/b") == (200, b"kept")
    assert (tmp_path / "data" / "artifacts" / "a" / "b").read_bytes() == b"kept"
