"""The samples that a training may log beside its model: the first rows of input and output, as tables of pandas."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.errors import UserError

SAMPLES = ("head_input.pkl", "head_output.pkl")


def check_samples(folder: Path) -> tuple[str, ...]:
    """The samples in the folder, each a readable table.

    Unpickling runs code of whoever has written the file, so this belongs to the step `train`, which ran that code anyway.

    Raises:
        UserError: a sample cannot be read, or is no table.
    """
    found = tuple(name for name in SAMPLES if (folder / name).is_file())
    for name in found:
        _check(folder / name)
    return found


def _check(path: Path) -> None:
    try:
        import pandas as pd

        sample = pd.read_pickle(path)
    except Exception as error:
        raise UserError(
            f"{path.name} cannot be read: {type(error).__name__}: {error}",
            hint="write it with pandas' DataFrame.to_pickle, and log it below the model's name",
        ) from error
    if not isinstance(sample, pd.DataFrame | pd.Series):
        raise UserError(
            f"{path.name} holds a {type(sample).__name__}, no table",
            hint="log a pandas DataFrame, such as data.head().to_pickle(...)",
        )
