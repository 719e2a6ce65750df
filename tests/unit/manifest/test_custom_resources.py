"""ODAHU's custom resources as `kubectl get modeltrainings,connections,toolchainintegrations -o yaml` prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.manifest.load import load, load_text, load_with_problems
from tests.manifests import training


def custom_resource(kind: str, name: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return an object with the metadata that a cluster adds."""
    return {
        "apiVersion": "odahuflow.odahu.org/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "odahu-flow",
            "annotations": {"operator.odahuflow.odahu.org/last-applied-hash": "abc="},
            "creationTimestamp": "2021-03-01T10:00:00Z",
            "generation": 2,
            "labels": {"model_name": "wine", "type": "s3"},
            "managedFields": [{"manager": "manager", "fieldsV1": {"f:spec": {}}}],
            "finalizers": ["training.odahu.org"],
            "resourceVersion": "123",
            "selfLink": "/apis/odahuflow.odahu.org/v1alpha1/x",
            "uid": "f0c0ffee",
        },
        "spec": spec,
        "status": status,
    }


NEW = {
    **training()["spec"],
    "algorithmSource": {"objectStorage": {}, "vcs": {"connection": "code", "reference": "develop"}},
    "data": [{"connection": "wine-data", "localPath": "data/"}],
}
NEW.pop("vcsName")
OBJECTS = [
    custom_resource(
        "ModelTraining", "wine-new", NEW, state="succeeded", artifacts=[{"runId": "r", "artifactName": "a.zip"}]
    ),
    custom_resource("ModelTraining", "wine-old", training()["spec"], state="failed", message={"unexpected": "type"}),
    custom_resource(
        "Connection", "code", {"type": "git", "uri": "git@x:y.git", "keySecret": "LS0t"}, secretName="code"
    ),
    custom_resource("ToolchainIntegration", "mlflow", {"entrypoint": "mlflow", "defaultImage": "a:1"}),
    custom_resource("ModelDeployment", "wine", {"image": "x"}),
]


def test_reads_a_list_of_objects(tmp_path: Path) -> None:
    objects = {"apiVersion": "v1", "items": OBJECTS, "kind": "List", "metadata": {"resourceVersion": ""}}
    for name, text in (("a.yaml", yaml.safe_dump(objects)), ("a.json", json.dumps(objects))):
        (tmp_path / name).write_text(text)
        manifests = load([tmp_path / name])
        assert [loaded.manifest.id for loaded in manifests.trainings] == ["wine-new", "wine-old"]
        assert manifests.trainings[0].manifest.spec.code.connection == "code"
        assert [loaded.manifest.id for loaded in (*manifests.connections, *manifests.toolchains)] == ["code", "mlflow"]
        assert (manifests.warnings, [item.value["kind"] for item in manifests.skipped]) == ((), ["ModelDeployment"])


def test_reads_single_objects_and_typed_lists(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump_all(OBJECTS[:1]))
    typed = {"apiVersion": "odahuflow.odahu.org/v1alpha1", "kind": "ConnectionList", "items": OBJECTS[2:3]}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(typed))
    (tmp_path / "empty.yaml").write_text("apiVersion: v1\nitems: []\nkind: List\n")
    manifests = load([tmp_path])
    assert (len(manifests.trainings), len(manifests.connections)) == (1, 1)


def test_errors_in_objects_have_their_line(tmp_path: Path) -> None:
    text = yaml.safe_dump({"apiVersion": "v1", "items": OBJECTS, "kind": "List"}, sort_keys=False)
    wrong = text.replace("entrypoint: mlflow", "entrypont: mlflow").replace("name: wine-old", "name: Wine")
    problems = {problem.location.field: problem for problem in load_text(wrong, "objects.yaml").problems}
    assert set(problems) == {"id", "spec.entrypont"}
    lines = wrong.splitlines()
    assert lines[(problems["id"].location.line or 0) - 1].strip() == "name: Wine"
    assert lines[(problems["spec.entrypont"].location.line or 0) - 1].strip() == "entrypont: mlflow"


def test_manifest_with_id_and_metadata_keeps_its_id(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**training(), "metadata": {"name": "other"}}))
    manifests = load_with_problems([tmp_path / "a.yaml"])
    assert [loaded.manifest.id for loaded in manifests.trainings] == ["wine"]
    assert [problem.message for problem in manifests.warnings] == ["unknown field 'metadata' is ignored"]
