"""Settings for MLflow's own clients, which store and fetch files on real servers with them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.storage.mlflow_access import MlflowAccess, mlflow_access
from tests.servers.azure import ACCOUNT, KEY, Container
from tests.servers.gcs import JsonGcsBucket
from tests.servers.s3 import KEY_SECRET, Bucket

CLOUDS = ("AWS_", "AZURE_", "GOOGLE_", "STORAGE_", "MLFLOW_")
SAS = "sv=2024&sig=abc%3D"


@pytest.fixture(autouse=True)
def _no_cloud_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(CLOUDS):
            monkeypatch.delenv(name)


def round_trip(
    fields: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, below: str = "mlflow"
) -> MlflowAccess:
    """Store and fetch a file with these settings and MLflow's client, without the cached sessions of boto3 and MLflow."""
    import boto3
    from mlflow.store.artifact import s3_artifact_repo
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3_artifact_repo._cached_get_s3_client.cache_clear()
    access = mlflow_access(fields, below, folder)
    for path, content in access.files.items():
        path.write_text(content)
    for name, value in access.variables.items():
        monkeypatch.setenv(name, value)
    source = folder / "model.bin"
    source.write_bytes(b"weights")
    repository = get_artifact_repository(access.destination)
    repository.log_artifact(str(source), "run/artifacts")
    (folder / "back").mkdir()
    fetched = repository.download_artifacts("run/artifacts/model.bin", str(folder / "back"))
    assert Path(fetched).read_bytes() == b"weights"
    assert [each.path for each in repository.list_artifacts("run/artifacts")] == ["run/artifacts/model.bin"]
    return access


def test_s3_with_a_key(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = round_trip(bucket.fields("models/"), tmp_path, monkeypatch)
    assert access.destination == f"s3://{bucket.name}/models/mlflow"
    assert bucket.get("models/mlflow/run/artifacts/model.bin") == b"weights"


def test_s3_with_a_role(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::123456789012:role/mlflow"
    access = round_trip(bucket.fields(role=role), tmp_path, monkeypatch)
    assert bucket.get("mlflow/run/artifacts/model.bin") == b"weights"
    assert KEY_SECRET not in "".join(access.variables.values())
    with pytest.raises(UserError, match=r"cannot assume the role .* without a key"):
        mlflow_access(bucket.fields(role=role, keyID="", keySecret=""), "", tmp_path)


def test_google(json_gcs_bucket: JsonGcsBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = round_trip(json_gcs_bucket.fields("models"), tmp_path, monkeypatch)
    assert access.destination == f"gs://{json_gcs_bucket.name}/models/mlflow"
    assert json_gcs_bucket.get("models/mlflow/run/artifacts/model.bin") == b"weights"


def test_googles_key_is_a_file(tmp_path: Path) -> None:
    key = json.dumps({"type": "service_account", "private_key": "canary"})
    access = mlflow_access({"type": "gcs", "uri": "gsc://bucket", "keySecret": key}, "", tmp_path)
    assert access.variables == {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "google.json")}
    assert access.files == {tmp_path / "google.json": key}
    assert access.destination == "gs://bucket"
    assert "canary" not in repr(access)


def test_azure_with_an_accounts_key(container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = round_trip(container.fields("models"), tmp_path, monkeypatch)
    assert access.destination == f"wasbs://{container.name}@{ACCOUNT}.blob.core.windows.net/models/mlflow"
    assert container.get("models/mlflow/run/artifacts/model.bin") == b"weights"
    assert KEY not in repr(access)


def test_azure_with_a_connection_string(container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    string = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={container.endpoint};"
    fields = {"type": "azureblob", "uri": f"{container.name}/deep", "keySecret": string}
    round_trip(fields, tmp_path, monkeypatch, below="")
    assert container.get("deep/run/artifacts/model.bin") == b"weights"


def test_azure_with_a_sas_url_as_odahu_documented_it(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import generate_account_sas

    token = generate_account_sas(ACCOUNT, KEY, "sco", "rwdlac", datetime.now(UTC) + timedelta(hours=1), services="b")
    fields = {"type": "azureblob", "uri": f"{container.name}/models", "keySecret": f"{container.endpoint}?{token}"}
    round_trip(fields, tmp_path, monkeypatch)
    assert container.get("models/mlflow/run/artifacts/model.bin") == b"weights"


@pytest.mark.parametrize(
    ("fields", "destination"),
    [
        ({"type": "s3", "uri": "s3a://b/a/"}, "s3://b/a/mlflow"),
        ({"type": "s3", "uri": "s3://b"}, "s3://b/mlflow"),
        ({"type": "azureblob", "uri": "abfss://c@acc.dfs.core.windows.net/p", "keySecret": SAS},
         "wasbs://c@acc.blob.core.windows.net/p/mlflow"),
        ({"type": "azureblob", "uri": "https://acc.blob.core.chinacloudapi.cn/c"},
         "wasbs://c@acc.blob.core.chinacloudapi.cn/mlflow"),
    ],
)  # fmt: skip
def test_destination(fields: dict[str, str], destination: str, tmp_path: Path) -> None:
    assert mlflow_access(fields, "mlflow", tmp_path).destination == destination


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"type": "git", "uri": "https://git.example.org/a"},
            "a connection of type 'git' cannot store MLflow's artifacts",
        ),
        ({"type": "file", "uri": "file:///a"}, "a connection of type 'file' cannot store"),
        ({}, r"a connection of type '\(none\)' cannot store"),
        ({"type": "s3", "uri": "s3://b", "keyID": "AK"}, "has keyID but no keySecret"),
        ({"type": "s3", "uri": "https://b"}, "contains no S3 bucket"),
        (
            {"type": "azureblob", "uri": "https://store.corp.example/c"},
            "MLflow cannot access the account .* without a key",
        ),
    ],
)
def test_unusable_connection(fields: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        mlflow_access(fields, "mlflow", tmp_path)
