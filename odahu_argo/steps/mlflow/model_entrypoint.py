"""Entry point of ODAHU's model servers: `init`, `predict_on_matrix` and `info`.

This file is in the directory of the MLflow model, which is `MODEL_LOCATION` or the working directory. The samples
`head_input.pkl` and `head_output.pkl` are beside it if the training logged them. It needs Python 3.6 and MLflow 1 or newer.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import mlflow.pyfunc
import numpy as np
import pandas as pd
from pandas.api import types

_FOLDER = Path(os.environ.get("MODEL_LOCATION", "."))


def init() -> str:
    """Load the model and return the format of its input: `matrix`, a list of rows."""
    _model()
    return "matrix"


def predict_on_matrix(
    input_matrix: List[List[Any]], provided_columns_names: Optional[List[str]] = None
) -> Tuple[np.ndarray, Tuple[str, ...]]:
    """Return the prediction for each row, and the names of its columns if known.

    Named columns are reordered as in the input sample; missing columns are empty.
    """
    rows = pd.DataFrame(input_matrix, columns=provided_columns_names or None)
    sample = _sample("head_input.pkl")
    if provided_columns_names and sample is not None:
        rows = rows.reindex(columns=sample.columns)
    result = _model().predict(rows)

    names = getattr(result, "columns", None)
    if names is None:
        output_sample = _sample("head_output.pkl")
        names = [] if output_sample is None else output_sample.columns
    return np.asarray(result), tuple(names)


def info() -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Return the columns of input and output as `name`, OpenAPI `type`, `example` and `required`; empty without samples."""
    return _columns(_sample("head_input.pkl")), _columns(_sample("head_output.pkl"))


@lru_cache(maxsize=None)
def _model() -> Any:
    return mlflow.pyfunc.load_model(str(_FOLDER))


@lru_cache(maxsize=None)
def _sample(name: str) -> Optional[pd.DataFrame]:
    path = _FOLDER / name
    if not path.exists():
        return None
    sample = pd.read_pickle(path)
    return sample.to_frame() if isinstance(sample, pd.Series) else sample


def _columns(sample: Optional[pd.DataFrame]) -> List[Dict[str, Any]]:
    if sample is None:
        return []
    columns = []
    for name, dtype in sample.dtypes.items():
        openapi_type, example = _openapi_type(dtype)
        columns.append({"name": name, "type": openapi_type, "example": example, "required": True})
    return columns


def _openapi_type(dtype: Any) -> Tuple[Optional[str], Any]:
    """Return the OpenAPI type and an example as ODAHU maps them; booleans and complex numbers are strings."""
    if types.is_bool_dtype(dtype) or types.is_complex_dtype(dtype):
        return "string", ""
    if types.is_integer_dtype(dtype):
        return "integer", 0
    if types.is_float_dtype(dtype):
        return "number", 0
    if types.is_string_dtype(dtype):
        return "string", ""
    return None, None
