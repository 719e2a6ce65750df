"""Responses of every route for local trainings conform to the OpenAPI document."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, StepRecord, TrainingStore
from tests.servers.api import serving
from tests.servers.schemathesis import require_conformance

TOKENS = ("0123456789abcdef", "fedcba9876543210")


def test_conforms_to_openapi_document(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    times = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")
    steps = (StepRecord("checkout", "succeeded", 0),)
    TrainingStore(home.store_file).save(
        LocalTraining("wine", "wine", "1", "mlflow", "succeeded", *times, "d", "file:///models", steps=steps)
    )
    home.tracking_version_file.write_text(version("mlflow"))
    connection = '{"kind": "Connection", "id": "data", "spec": {"type": "s3", "uri": "s3://x/", "keySecret": "CANARY"}}'
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "data.json").write_text(connection)
    options: list[object] = ["--local", "-d", tmp_path / "manifests"]
    for name, token in zip(("--token-file", "--decrypt-token-file"), TOKENS, strict=True):
        (tmp_path / name).write_text(token)
        options += [name, tmp_path / name]
    with serving(*options, ODAHU_ARGO_HOME=str(home.root)) as address:
        require_conformance(address, TOKENS[1], tmp_path, 19, "--phases", "examples,fuzzing", "-n", 20)
