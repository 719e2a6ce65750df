"""A real Kubernetes API with Argo's CRDs accepts every golden workflow in a strict server-side dry run.

Needs `KUBECONFIG`. Without it, these tests are skipped, or fail if `ODAHU_ARGO_REQUIRE` lists `cluster`, as in CI.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.conftest import Example

pytestmark = pytest.mark.cluster


def dry_run(api: client.ApiClient, workflow: dict[str, Any]) -> dict[str, Any]:
    body = copy.deepcopy(workflow)
    body["metadata"]["namespace"] = "default"
    return client.CustomObjectsApi(api).create_namespaced_custom_object(
        "argoproj.io", "v1alpha1", "default", "workflows", body, dry_run="All", field_validation="Strict"
    )


def golden(example: Example) -> dict[str, Any]:
    return yaml.safe_load((example.folder / "golden" / "workflow.yaml").read_text(encoding="utf-8"))


def test_api_accepts_workflow_and_keeps_every_field(api: client.ApiClient, example: Example) -> None:
    workflow = golden(example)
    assert dry_run(api, workflow)["spec"] == workflow["spec"]


def test_api_rejects_unknown_field(api: client.ApiClient, example: Example) -> None:
    workflow = golden(example)
    workflow["spec"]["templates"][1]["retryStrategies"] = {}
    with pytest.raises(client.ApiException) as refusal:
        dry_run(api, workflow)
    assert "retryStrategies" in json.loads(refusal.value.body)["message"]
