"""The model that the step `train` has found, left for the step `package`, which then need not import MLflow, for seconds."""

from __future__ import annotations

import json

from odahu_argo.contract import Workspace
from odahu_argo.steps.model_files import folder_of
from odahu_argo.steps.tracking import RunModel

_FILE = "trained-model.json"


def leave(workspace: Workspace, run_id: str, model: RunModel) -> None:
    """Write down the only model of the run."""
    text = json.dumps({"run": run_id, "name": model.name, "places": model.places})
    (workspace.root / _FILE).write_text(text, encoding="utf-8")


def left(workspace: Workspace, run_id: str) -> RunModel | None:
    """The model that was left of this run; None where there is none, or MLflow is needed to fetch it."""
    try:
        written = json.loads((workspace.root / _FILE).read_text(encoding="utf-8"))
        model = RunModel(str(written["name"]), tuple(map(str, written["places"])))
        is_of_run = written["run"] == run_id
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model if is_of_run and all(folder_of(place) is not None for place in model.places) else None
