"""A toolchain that is not MLflow: it fits a line through two columns of a CSV file."""

import csv
import json
from pathlib import Path
from statistics import linear_regression

from odahu_argo.contract import TrainSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.output import fill
from odahu_argo.steps.runtime import log

__all__ = ["fill", "train"]


def train(spec: TrainSpec, workspace: Workspace) -> None:
    """`entrypoint` names the CSV file in workDir, the hyperparameters `x` and `y` its columns."""
    table = Path(spec.work_dir) / spec.entry_point
    wanted = [spec.hyper_parameters.get("x", "x"), spec.hyper_parameters.get("y", "y")]
    try:
        with table.open(newline="") as lines:
            rows = [[float(row[name]) for name in wanted] for row in csv.DictReader(lines)]
    except FileNotFoundError:
        raise UserError(f"there is no file {table}", hint="entrypoint names the CSV file in workDir") from None
    except KeyError as missing:
        raise UserError(f"{table} has no column {missing}", hint="x and y are hyperparameters") from None
    slope, intercept = linear_regression(*zip(*rows, strict=True))
    log("train", f"{wanted[1]} = {slope:g} {wanted[0]} + {intercept:g}, from {len(rows)} rows")
    (workspace.output / "line.json").write_text(json.dumps({"slope": slope, "intercept": intercept}))
