"""ODAHU's trained model binary: the model, its samples, an entry point and a description, in the layout that is packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.errors import UserError
from odahu_argo.steps.output import PROJECT_FILE
from odahu_argo.steps.runtime import log

MODEL_DIRECTORY = "odahuflow_model"
ENTRYPOINT = "entrypoint"
"""Name of the Python module in `MODEL_DIRECTORY` that model servers call."""
_FORMAT = "1.0"


@dataclass(frozen=True, slots=True)
class BinaryMetadata:
    """The model, toolchain and run that the binary's description refers to."""

    model_name: str
    model_version: str
    toolchain: str
    run_id: str


def build_binary(directory: Path, metadata: BinaryMetadata) -> None:
    """Complete the trained model binary in `directory`, whose `odahuflow_model/` contains the MLflow model and its samples.

    Raises:
        UserError: The model has no pyfunc flavor or no conda environment.
    """
    model = directory / MODEL_DIRECTORY
    description = _read_mlmodel(model)
    conda_file = _conda_file(model, description)

    entrypoint = model / f"{ENTRYPOINT}.py"
    if entrypoint.exists():
        log("package", f"warning: ODAHU's {entrypoint.name} replaces the model's own")
    entrypoint.unlink(missing_ok=True)
    entrypoint.write_text(resources.files(__package__).joinpath("model_entrypoint.py").read_text("utf-8"), "utf-8")
    for cache in sorted(model.rglob("__pycache__")):
        shutil.rmtree(cache)
    version = str(description.get("mlflow_version", ""))
    project = _project(metadata, version, f"{MODEL_DIRECTORY}/{conda_file}")
    (directory / PROJECT_FILE).write_text(yaml.safe_dump(project, sort_keys=True, allow_unicode=True), "utf-8")


def _project(metadata: BinaryMetadata, toolchain_version: str, conda_path: str) -> Mapping[str, Any]:
    return {
        "odahuflowVersion": _FORMAT,
        "binaries": {"type": "python", "dependencies": "conda", "conda_path": conda_path},
        "model": {
            "name": metadata.model_name,
            "version": metadata.model_version,
            "workDir": MODEL_DIRECTORY,
            "entrypoint": ENTRYPOINT,
        },
        "toolchain": {"name": metadata.toolchain, "version": toolchain_version},
        "output": {"run_id": metadata.run_id},
    }


def _read_mlmodel(model: Path) -> dict[str, Any]:
    try:
        description = yaml.safe_load((model / "MLmodel").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            "the run's model has no readable MLmodel file", hint="log it with mlflow's log_model"
        ) from error
    if not isinstance(description, dict) or "python_function" not in (description.get("flavors") or {}):
        raise UserError(
            "the run's model lacks the flavor python_function, which ODAHU requires",
            hint="log it with a flavor that includes pyfunc, such as mlflow.sklearn or mlflow.pyfunc",
        )
    return description


def _conda_file(model: Path, description: Mapping[str, Any]) -> str:
    """Return the name of the model's conda file: `env` itself in MLflow 1, its key `conda` in later versions."""
    env = description["flavors"]["python_function"].get("env")
    name = env.get("conda") if isinstance(env, dict) else env
    if not name or not (model / str(name)).is_file():
        raise UserError(
            "the run's model was logged without its conda environment, which ODAHU's format requires",
            hint="let log_model write conda.yaml, which is its default",
        )
    return str(name)
