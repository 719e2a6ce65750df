"""ODAHU's trained model binary: which models are accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.model_binary import BinaryMetadata, build_binary

METADATA = BinaryMetadata("wine", "1.0", "mlflow", "a-run")
MLMODEL = "mlflow_version: 2.0.1\nflavors: {python_function: {env: conda.yaml}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The fetched files of a model of MLflow 1."""
    model = tmp_path / "content" / "odahuflow_model"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text(MLMODEL)
    (model / "conda.yaml").write_text("dependencies: []\n")
    return tmp_path / "content"


def test_accepts_model_of_mlflow_1(folder: Path) -> None:
    build_binary(folder, METADATA)
    assert "version: 2.0.1" in (folder / "odahuflow.project.yaml").read_text()


@pytest.mark.parametrize(
    ("mlmodel", "words"),
    [
        ("flavors: {crate: {version: 1}}", "lacks the flavor python_function"),
        ("flavors:", "lacks the flavor python_function"),
        ("flavors: [", "no readable MLmodel"),
        ("flavors: {python_function: {}}", "without its conda environment"),
        ("flavors: {python_function: {env: {conda: other.yaml}}}", "without its conda environment"),
    ],
)
def test_rejects_model_that_cannot_be_served(folder: Path, mlmodel: str, words: str) -> None:
    (folder / "odahuflow_model" / "MLmodel").write_text(mlmodel)
    with pytest.raises(UserError, match=words):
        build_binary(folder, METADATA)
