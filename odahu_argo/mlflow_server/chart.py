"""The MLflow server's Helm chart, written into a folder, with the values that were chosen as its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.mlflow_server.values import Values
from odahu_argo.templates import folder

VALUES = "values.yaml"
SCHEMA = "values.schema.json"
_HEAD = "# Written by `odahu-argo setup mlflow --chart`. What each value means: docs/reference/mlflow-values.md.\n"


def write_chart(target: Path, values: Values) -> None:
    """The chart as a new folder, whose `values.yaml` holds `values`.

    Raises:
        UserError: there is something of that name, or it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UserError(Problem("is there already, and not empty", Where(str(target)), "name a new folder"))
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder("chart"), partial)
        said = values.model_dump(by_alias=True, mode="json", exclude_none=True)
        chosen = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
        (partial / VALUES).write_text(_HEAD + chosen, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(Problem(f"cannot be written: {error.strerror}", Where(str(target)))) from error


def schema_text() -> str:
    """The chart's `values.schema.json`, by which Helm refuses unknown names and values of a wrong kind."""
    schema = Values.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        if model["title"] != "Toleration":
            model["required"] = sorted(model["properties"])
    return json.dumps(_without_defaults(schema), indent=2, sort_keys=True) + "\n"


def _without_defaults(node: Any) -> Any:
    """The chart's `values.yaml` has the defaults; the models' titles and docstrings are for their readers.

    Below `properties` such a name would be a value's, and hold a schema.
    """
    if isinstance(node, list):
        return [_without_defaults(each) for each in node]
    if not isinstance(node, dict):
        return node
    is_schema = {"type", "$ref", "anyOf", "enum", "$defs"} & node.keys() and not isinstance(node.get("type"), dict)
    left = {"default", "title", "description"} if is_schema else set()
    return {key: _without_defaults(value) for key, value in node.items() if key not in left}
