"""ODAHU's trained model binary: the folder that is zipped."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.errors import UserError
from odahu_argo.steps.log import log
from odahu_argo.steps.output import PROJECT_FILE

MODEL_FOLDER = "odahuflow_model"
_FORMAT = "1.0"
_ENTRYPOINT = "entrypoint"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the binary says of its origin."""

    model_name: str
    model_version: str
    toolchain: str
    run_id: str


def complete(folder: Path, identity: Identity) -> None:
    """Make a trained model binary of `folder`, whose `odahuflow_model/` holds the MLflow model and its samples.

    Raises:
        UserError: the model is no pyfunc model, or has no conda environment.
    """
    model = folder / MODEL_FOLDER
    description = _read_description(model)
    conda_file = _conda_file(model, description)

    entrypoint = model / f"{_ENTRYPOINT}.py"
    if entrypoint.exists():
        log("package", f"warning: the model's own {entrypoint.name} is replaced by ODAHU's")
    entrypoint.unlink(missing_ok=True)
    entrypoint.write_text(resources.files(__package__).joinpath("model_entrypoint.py").read_text("utf-8"), "utf-8")
    for cache in sorted(model.rglob("__pycache__")):
        shutil.rmtree(cache)
    version = str(description.get("mlflow_version", ""))
    project = _project(identity, version, f"{MODEL_FOLDER}/{conda_file}")
    (folder / PROJECT_FILE).write_text(yaml.safe_dump(project, sort_keys=True, allow_unicode=True), "utf-8")


def _project(identity: Identity, toolchain_version: str, conda_path: str) -> Mapping[str, Any]:
    return {
        "odahuflowVersion": _FORMAT,
        "binaries": {"type": "python", "dependencies": "conda", "conda_path": conda_path},
        "model": {
            "name": identity.model_name,
            "version": identity.model_version,
            "workDir": MODEL_FOLDER,
            "entrypoint": _ENTRYPOINT,
        },
        "toolchain": {"name": identity.toolchain, "version": toolchain_version},
        "output": {"run_id": identity.run_id},
    }


def _read_description(model: Path) -> dict[str, Any]:
    try:
        description = yaml.safe_load((model / "MLmodel").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            "the run's model has no readable MLmodel file", hint="log it with mlflow's log_model"
        ) from error
    if not isinstance(description, dict) or "python_function" not in (description.get("flavors") or {}):
        raise UserError(
            "the run's model cannot be called from Python: it lacks the flavor python_function",
            hint="log it with a flavor that offers pyfunc, such as mlflow.sklearn or mlflow.pyfunc",
        )
    return description


def _conda_file(model: Path, description: Mapping[str, Any]) -> str:
    """The model's conda file; MLflow 1 named it plainly, later ones beside a file for virtualenv."""
    named = description["flavors"]["python_function"].get("env")
    name = named.get("conda") if isinstance(named, dict) else named
    if not name or not (model / str(name)).is_file():
        raise UserError(
            "the run's model was logged without its conda environment, which ODAHU's format needs",
            hint="let log_model write conda.yaml, which is its default",
        )
    return str(name)
