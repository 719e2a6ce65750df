"""ODAHU's self check of a packaged model."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pandas as pd
import pytest

from odahu_argo.errors import UserError
from odahu_argo.launcher.report import LaunchError
from odahu_argo.launcher.self_check import self_check
from tests.conftest import ROOT
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.step_runner import StepRunner

ENTRYPOINT = """\
import sys

print("working in", __file__)


def init():
    return "matrix"


def info():
    return [], []


def predict_on_matrix(matrix, provided_columns_names=None):
    print("rows:", len(matrix), "odahu:", [name for name in sys.modules if name.startswith("odahu")])
    return matrix, ()
"""

PROGRAMS = ROOT / "odahu_argo" / "steps" / "mlflow"


def check(binary: Path) -> None:
    self_check(str(binary / "odahuflow_model"), str(PROGRAMS / "model_self_check.py"))


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A trained model binary whose entry point needs no model."""
    (tmp_path / "odahuflow_model").mkdir()
    (tmp_path / "odahuflow_model/entrypoint.py").write_text(ENTRYPOINT)
    return tmp_path


def write_sample(binary: Path, name: str = "head_input.pkl") -> None:
    pd.DataFrame({"acid": [1.0, 2.0]}).to_pickle(binary / "odahuflow_model" / name)


def test_predicts_the_input_sample_in_a_process_of_its_own(binary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_sample(binary)
    check(binary)
    log = capfd.readouterr().out
    assert f"working in {binary}/odahuflow_model/entrypoint.py" in log
    assert "rows: 2 odahu: []" in log
    assert "train: samples: head_input.pkl\ntrain: self check passed: init, info, predict_on_matrix\n" in log


def test_model_without_samples_passes(binary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(binary)
    assert "train: samples: none\ntrain: self check passed: init, info\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('return "matrix"', "raise OSError('no weights')", "failed in init: OSError: no weights"),
        ("return [], []", "return [][0]", "failed in info: IndexError: list index out of range"),
        (
            "return matrix, ()",
            "raise ValueError('no')",
            "failed in predict_on_matrix with head_input.pkl: ValueError: no",
        ),
        ("import sys", "import nowhere", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys", "import sys; sys.exit('bye')", "cannot be imported: SystemExit: bye"),
        ("import sys", "import os; os._exit(9)", "the self check of the model ended with status 9"),
    ],
)
def test_failure_names_the_function_and_the_exception(binary: Path, before: str, after: str, message: str) -> None:
    write_sample(binary)
    (binary / "odahuflow_model/entrypoint.py").write_text(ENTRYPOINT.replace(before, after))
    with pytest.raises(LaunchError, match=message):
        check(binary)


def test_accepts_a_column_as_sample(binary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pd.Series([1.0], name="quality").to_pickle(binary / "odahuflow_model/head_output.pkl")
    check(binary)
    assert "train: samples: head_output.pkl\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no pickle", "cannot be read"),
        (b"", "cannot be read"),
        (pickle.dumps({"a": 1}), "contains a dict, not a table"),
    ],
)
@pytest.mark.parametrize("sample", ["head_input.pkl", "head_output.pkl"])
def test_rejects_sample_that_is_not_a_table(binary: Path, sample: str, content: bytes, words: str) -> None:
    (binary / "odahuflow_model" / sample).write_bytes(content)
    with pytest.raises(LaunchError, match=f"{sample} {words}"):
        check(binary)


def test_programs_of_the_training_python_have_the_syntax_of_python_3_6() -> None:
    for name in ("model_entrypoint.py", "model_self_check.py"):
        ast.parse((PROGRAMS / name).read_text(), feature_version=(3, 6))


def test_training_whose_model_cannot_predict_fails(project: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match=r"predict_on_matrix with head_input\.pkl: RuntimeError: no prediction"):
        project.run(entry_point("predict-fails"))


def test_training_with_invalid_sample_fails(project: StepRunner, tracking: Tracking) -> None:
    with pytest.raises(UserError, match=r"head_input\.pkl contains a dict, not a table"):
        project.run(entry_point("sample-no-table"))
