"""Samples that ODAHU's tools could not read are told where they were written: in the step train."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.model_binary import check_samples
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.workplace import Workplace


def test_tables_and_columns_are_samples_and_either_may_be_missing(tmp_path: Path) -> None:
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
def test_a_sample_must_be_a_readable_table(tmp_path: Path, sample: str, content: bytes, words: str) -> None:
    (tmp_path / sample).write_bytes(content)
    with pytest.raises(UserError, match=f"{sample} {words}"):
        check_samples(tmp_path)


def test_a_training_that_logs_a_sample_which_is_no_table_fails(project: Workplace, tracking: Tracking) -> None:
    with pytest.raises(UserError, match=r"head_input\.pkl contains a dict, not a table"):
        project.run(entry_point("sample-no-table"))
