"""Golden files conform to hera's models and to Argo 4.1.2's JSON schema without additional fields."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from odahu_argo import __version__, naming
from odahu_argo.compile import workflow_template
from odahu_argo.compile.schema import NEWER_THAN_HERA, schema_errors
from tests.commands import odahu_argo
from tests.conftest import ROOT, Example
from tests.manifests import plan

SCHEMA = ROOT / "tests" / "data" / "argo-4.1.2-workflow.schema.json"


@cache
def strict_schema() -> dict[str, Any]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for definition in schema["definitions"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return schema


NEWER_THAN_3_6 = {
    "Template": {"annotations", "pendingTimeout", "podResources", "resourceClaims"},
    "WorkflowSpec": {"executorPlugins", "podResources", "resourceClaims"},
    "Backoff": {"cap"},
    "Mutex": {"database"},
    "ScriptTemplate": {"restartPolicyRules"},
}
"""Fields of workflows in the schema of Argo 4.1.2 that are missing in that of 3.6.19."""
IGNORED_BY_OLDER_CONTROLLERS = {"pendingTimeout", "cap"}
"""Without `pendingTimeout` (3.6, 3.7), the wait for a GPU node is not limited, and without `cap` (3.6), the wait between
attempts keeps doubling (docs/guides/argo.md)."""


def oldest_schema() -> dict[str, Any]:
    schema = copy.deepcopy(strict_schema())
    for name, fields in NEWER_THAN_3_6.items():
        properties = schema["definitions"].get(f"io.argoproj.workflow.v1alpha1.{name}", {}).get("properties", {})
        for field in fields - IGNORED_BY_OLDER_CONTROLLERS:
            properties.pop(field, None)
    return schema


def golden(example: Example) -> dict[str, Any]:
    return yaml.safe_load((example.folder / "golden" / "workflow.yaml").read_text(encoding="utf-8"))


def test_templates_of_odahu_conform_to_schema() -> None:
    template = yaml.safe_load((ROOT / "templates" / "odahu-templates.yaml").read_text(encoding="utf-8"))
    definition = {"$ref": "#/definitions/io.argoproj.workflow.v1alpha1.WorkflowTemplate"}
    for schema in (strict_schema(), oldest_schema()):
        jsonschema.validate(template, {**schema, **definition})
    assert list(schema_errors({**template, "kind": "Workflow"})) == []
    interface = {
        entry["name"]: {
            *(parameter["name"] for parameter in entry["inputs"]["parameters"]),
            *(artifact["name"] for artifact in entry["inputs"]["artifacts"]),
            *(parameter["name"] for parameter in entry["outputs"]["parameters"]),
        }
        for entry in template["spec"]["templates"]
    }
    common = {"odahuURL", "docker_tag", "odahuCredentialsSecret", "wait_completion"}
    assert (template["metadata"]["name"], interface) == (
        "odahu",
        {
            "training": {*common, "trainingManifest", "training_id"},
            "packaging": {*common, "fromTrainingID", "packagingManifest", "packaging_id"},
            "deployment": {*common, "fromPackagingID", "deploymentManifest", "deployment_id"},
        },
    )
    tags = {entry["inputs"]["parameters"][1]["default"] for entry in template["spec"]["templates"]}
    assert tags == {__version__}


def test_workflow_conforms_to_schema(example: Example) -> None:
    jsonschema.validate(golden(example), strict_schema())


def test_workflow_conforms_to_schema_of_argo_3_6(example: Example) -> None:
    jsonschema.validate(golden(example), oldest_schema())
    newer = copy.deepcopy(golden(example))
    newer["spec"]["templates"][1]["podResources"] = {}
    with pytest.raises(jsonschema.ValidationError, match="podResources"):
        jsonschema.validate(newer, oldest_schema())


KINDS = ("WorkflowTemplate", "Workflow", "CronWorkflow")


def schema_of(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$ref": f"#/definitions/io.argoproj.workflow.v1alpha1.{kind}"}


def rendered_object(kind: str, folder: Path) -> dict[str, Any]:
    planned = plan(folder, schedules=["0 3 * * 1"], timezone="Europe/Berlin", hyperParameters={"alpha": "0.1"})
    objects = [
        workflow_template.workflow_template(planned),
        workflow_template.template_run(planned),
        workflow_template.cron_workflow(planned),
    ]
    return next(item for item in objects if item is not None and item["kind"] == kind)


@pytest.mark.parametrize("kind", KINDS)
def test_rendered_objects_conform_to_schemas(kind: str, tmp_path: Path) -> None:
    rendered = rendered_object(kind, tmp_path)
    jsonschema.validate(rendered, schema_of(kind, strict_schema()))
    jsonschema.validate(rendered, schema_of(kind, oldest_schema()))
    assert schema_errors(rendered) == []


@pytest.mark.parametrize("kind", KINDS)
def test_detects_unknown_field(kind: str, tmp_path: Path) -> None:
    rendered = rendered_object(kind, tmp_path)
    rendered["spec"]["schedule"] = "0 3 * * 1"
    assert [problem.location.field for problem in schema_errors(rendered)] == ["spec.schedule"]
    with pytest.raises(jsonschema.ValidationError, match="schedule"):
        jsonschema.validate(rendered, schema_of(kind, strict_schema()))


def test_rendered_template_equals_compiled_workflow(example: Example) -> None:
    [file] = (example.folder / "golden" / "rendered" / "templates").glob("*.template.yaml")
    template, workflow = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"], golden(example)["spec"]
    metadata = template.pop("workflowMetadata")
    assert parse_step_specs(template) == parse_step_specs(workflow)
    name = naming.DIGEST_ANNOTATION
    assert metadata["annotations"][name] == golden(example)["metadata"]["annotations"][name]


def parse_step_specs(spec: dict[str, Any]) -> dict[str, Any]:
    """Replace the JSON text of step specifications, which is indented in rendered templates, by its value."""
    for template in spec["templates"]:
        containers = [*template.get("initContainers", []), template.get("container", {})]
        for variable in (each for container in containers for each in container.get("env", [])):
            if variable["name"] == "ODAHU_ARGO_STEP":
                variable["value"] = json.loads(variable["value"])
    return spec


def test_workflow_conforms_to_models_of_hera(example: Example) -> None:
    assert schema_errors(golden(example)) == []


@pytest.mark.parametrize("field", ["retryStrategies", "activeDeadline"])
def test_detects_unknown_field_in_workflow(example: Example, field: str) -> None:
    workflow = copy.deepcopy(golden(example))
    workflow["spec"]["templates"][1][field] = "1"
    assert [problem.location.field for problem in schema_errors(workflow)] == [f"spec.templates[1].{field}"]
    with pytest.raises(jsonschema.ValidationError, match=field):
        jsonschema.validate(workflow, strict_schema())


def test_reports_field_of_wrong_type(example: Example) -> None:
    workflow = copy.deepcopy(golden(example))
    workflow["spec"]["templates"][1]["container"]["command"] = "python"
    [problem] = schema_errors(workflow)
    assert problem.location.field == "spec.templates[1].container.command"


def test_fields_missing_from_hera_models_exist_in_argo() -> None:
    template = strict_schema()["definitions"]["io.argoproj.workflow.v1alpha1.Template"]["properties"]
    assert set(template) >= NEWER_THAN_HERA


def test_compile_validate_accepts_every_example(example: Example) -> None:
    result = odahu_argo("compile", "--validate", *example.arguments, cwd=ROOT)
    assert (result.code, result.err) == (0, "")
    assert result.out == (example.folder / "golden" / "workflow.yaml").read_text(encoding="utf-8")
