"""How a server of ODAHU's trained models calls this one: `init`, `predict_on_matrix` and `info`.

This file lies beside the MLflow model, whose folder `MODEL_LOCATION` names (the current one by default), together with the
samples `head_input.pkl` and `head_output.pkl` where the training has logged them.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from pandas.api import types

_FOLDER = Path(os.environ.get("MODEL_LOCATION", "."))


def init() -> str:
    """Load the model and tell the form of its input: `matrix`, a list of rows."""
    _model()
    return "matrix"


def predict_on_matrix(
    input_matrix: list[list[Any]], provided_columns_names: list[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The prediction for each row, and the names of its columns as far as they are known.

    Columns that are given by name are put in the order of the input sample; one that is left out is empty.
    """
    rows = pd.DataFrame(input_matrix, columns=provided_columns_names or None)
    wanted = _sample("head_input.pkl")
    if provided_columns_names and wanted is not None:
        rows = rows.reindex(columns=wanted.columns)
    result = _model().predict(rows)

    names = getattr(result, "columns", None)
    if names is None:
        sample = _sample("head_output.pkl")
        names = [] if sample is None else sample.columns
    return np.asarray(result), tuple(names)


def info() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The columns of input and output as `name`, `type` (of OpenAPI), `example` and `required`; empty without samples."""
    return _columns(_sample("head_input.pkl")), _columns(_sample("head_output.pkl"))


@cache
def _model() -> Any:
    return mlflow.pyfunc.load_model(str(_FOLDER))


@cache
def _sample(name: str) -> pd.DataFrame | None:
    path = _FOLDER / name
    if not path.exists():
        return None
    sample = pd.read_pickle(path)
    return sample.to_frame() if isinstance(sample, pd.Series) else sample


def _columns(sample: pd.DataFrame | None) -> list[dict[str, Any]]:
    if sample is None:
        return []
    described = []
    for name, dtype in sample.dtypes.items():
        kind, example = _open_api(dtype)
        described.append({"name": name, "type": kind, "example": example, "required": True})
    return described


def _open_api(dtype: Any) -> tuple[str | None, Any]:
    """ODAHU's mapping; truth values and complex numbers travel as text."""
    if types.is_bool_dtype(dtype) or types.is_complex_dtype(dtype):
        return "string", ""
    if types.is_integer_dtype(dtype):
        return "integer", 0
    if types.is_float_dtype(dtype):
        return "number", 0
    if types.is_string_dtype(dtype):
        return "string", ""
    return None, None
