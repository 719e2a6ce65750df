"""ODAHU's trained model binary: which models and samples are accepted."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.model_binary import BinaryMetadata, build_binary, check_samples
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.step_runner import StepRunner

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


def test_accepts_tables_and_columns_as_samples(tmp_path: Path) -> None:
    assert check_samples(tmp_path) == ()
    pd.Series([1.0], name="quality").to_pickle(tmp_path / "head_output.pkl")
    assert check_samples(tmp_path) == ("head_output.pkl",)
    pd.DataFrame({"acid": [1.0], "colour": ["red"]}).to_pickle(tmp_path / "head_input.pkl")
    assert check_samples(tmp_path) == ("head_input.pkl", "head_output.pkl")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no pickle", "cannot be read"),
        (b"", "cannot be read"),
        (pickle.dumps({"a": 1}), "contains a dict, not a table"),
    ],
)
@pytest.mark.parametrize("sample", ["head_input.pkl", "head_output.pkl"])
def test_rejects_sample_that_is_not_a_table(tmp_path: Path, sample: str, content: bytes, words: str) -> None:
    (tmp_path / sample).write_bytes(content)
    with pytest.raises(UserError, match=f"{sample} {words}"):
        check_samples(tmp_path)


def test_training_with_invalid_sample_fails(project: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match=r"head_input\.pkl contains a dict, not a table"):
        project.run(entry_point("sample-no-table"))
