from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from odahu_argo import load
from odahu_argo.errors import UserError
from odahu_argo.manifest.load import load_with_problems
from odahu_argo.manifest.models import ModelTraining
from tests.manifests import problems, training, write


def load_training(directory: Path, **spec: object) -> ModelTraining:
    [loaded] = load([write(directory, training(**spec))]).trainings
    return loaded.manifest


def test_loads_fields(tmp_path: Path) -> None:
    spec = load_training(
        tmp_path,
        entrypoint="fit",
        workDir="mlflow/wine",
        reference="v1",
        hyperParameters={"alpha": "1.0"},
        envs=[{"name": "A", "value": "b"}],
        image="registry.example.org/x:1",
        resources={"limits": {"cpu": "2", "memory": "1Gi", "gpu": "1"}, "requests": {"cpu": "500m"}},
    ).spec
    assert (spec.entrypoint, spec.work_dir, spec.reference, spec.vcs_name) == ("fit", "mlflow/wine", "v1", "code")
    assert spec.hyper_parameters == {"alpha": "1.0"}
    assert (spec.envs[0].name, spec.envs[0].value) == ("A", "b")
    assert (spec.resources.limits.gpu, spec.resources.requests.cpu) == ("1", "500m")


def test_defaults_of_odahu(tmp_path: Path) -> None:
    spec = load_training(tmp_path).spec
    assert spec.model.artifact_name_template == "{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip"
    assert (spec.work_dir, spec.entrypoint, spec.image, spec.reference) == ("./", "main", None, "")


def test_loads_export_with_status(tmp_path: Path) -> None:
    exported = training()
    artifact = {"runId": "0123", "artifactName": "wine-1.0.zip", "commitID": "d3d6e8ed"}
    status = {"state": "succeeded", "artifacts": [artifact], "createdAt": "2020-01-01T00:00:00Z", "exitCode": None}
    exported |= {"createdAt": "2020-01-01T00:00:00Z", "status": status}
    [loaded] = load([write(tmp_path, exported)]).trainings
    assert loaded.manifest.status is not None
    assert loaded.manifest.status.artifacts[0].commit_id == "d3d6e8ed"


def test_scalars_keep_their_text(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "kind: ModelTraining\nid: wine\nspec:\n  model: {name: wine, version: 1.10}\n  toolchain: mlflow\n"
        '  vcsName: code\n  hyperParameters: {a: 1.0, b: yes, c: , d: 1e-3, e: "x\\ny"}\n'
    )
    [loaded] = load([file]).trainings
    assert loaded.manifest.spec.model.version == "1.10"
    assert loaded.manifest.spec.hyper_parameters == {"a": "1.0", "b": "yes", "c": "", "d": "1e-3", "e": "x\ny"}


def test_loads_directory_and_skips_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", training())
    (tmp_path / "deployment.yml").write_text("kind: ModelDeployment\nid: x\nspec: {}\n")
    (tmp_path / "argo.json").write_text('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}')
    (tmp_path / "notes.txt").write_text("{not: yaml")
    manifests = load([tmp_path])
    assert [loaded.manifest.id for loaded in manifests.trainings] == ["wine"]
    assert [loaded.manifest.id for loaded in manifests.connections] == ["code", "wine-data"]
    assert sorted(document.value["kind"] for document in manifests.skipped) == ["ModelDeployment", "Secret"]


@pytest.mark.parametrize("training_id", ["", "Wine", "-wine", "wine-", "wi_ne", "w" * 64, "wine\n", "{{x}}"])
def test_rejects_invalid_id(tmp_path: Path, training_id: str) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, {**training(), "id": training_id})])
    assert [p.location.field for p in error.value.problems] == ["id"]


@pytest.mark.parametrize("training_id", ["w", "0", "wine-2", "w" * 63])
def test_accepts_valid_id(tmp_path: Path, training_id: str) -> None:
    [loaded] = load([write(tmp_path, {**training(), "id": training_id})]).trainings
    assert loaded.manifest.id == training_id


@pytest.mark.parametrize("reference", ["-x", "ma\x07in", "ma in", "v1^", "a..b", "feature/*", "x\0"])
def test_rejects_invalid_git_reference(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(reference=reference))])
    [problem] = error.value.problems
    assert problem.location.field == "spec.reference"
    assert "is not a valid git reference" in problem.message


@pytest.mark.parametrize("reference", ["", " main ", "v1.0", "refs/heads/a-b", "origin/pr/7/head", "0a1b2c3", "ü"])
def test_accepts_valid_git_reference(tmp_path: Path, reference: str) -> None:
    [loaded] = load([write(tmp_path, training(reference=reference))]).trainings
    assert loaded.manifest.spec.reference == reference


def test_reports_all_problems_of_all_documents(tmp_path: Path) -> None:
    broken = training(hyperparameters={"a": "1"}, model={"name": "wi ne"}, resources={"limits": {"cpu": "4GB"}})
    with pytest.raises(UserError) as error:
        load([write(tmp_path, broken, {"kind": "ModelTrainig", "id": "x"}, {"kind": "Connection", "id": "c"})])
    messages = problems(error.value)
    assert len(messages) == 6
    assert "spec.hyperparameters: unknown field 'hyperparameters'" in messages
    assert "spec.model.version: required field is missing" in messages
    assert any(line.startswith("spec.model.name: 'wi ne' is not a valid Kubernetes label") for line in messages)
    assert any(line.startswith("spec.resources.limits.cpu: '4GB' is not a quantity") for line in messages)
    assert "kind: unknown kind 'ModelTrainig'" in messages
    assert "spec: required field is missing" in messages


def test_connection_without_kind(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("id: wine-data\nspec: {type: s3, uri: s3://wine/data}\n")
    [loaded] = load([file]).connections
    assert loaded.manifest.id == "wine-data"


def test_reports_placeholder_from_documentation(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(vcsName="<git-connection>"))])
    [problem] = error.value.problems
    assert (
        problem.message == "'<git-connection>' is a placeholder from the documentation; replace it with your own value"
    )


def test_suggests_similar_field(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(workdir="x", data=[{"conName": "wine-data", "localPath": "x"}]))])
    hints = {problem.location.field: problem.hint for problem in error.value.problems}
    assert hints["spec.workdir"] == "did you mean workDir?"
    assert hints["spec.data[0].conName"] == "did you mean connName?"


def test_duplicate_id_reports_both_locations(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(), training())])
    [problem] = error.value.problems
    assert problem.location.line != 1
    assert f"the first one is at {tmp_path / 'manifests.yaml'}:1" in problem.message


def test_equal_manifests_in_two_files_count_once(tmp_path: Path) -> None:
    file = write(tmp_path, training())
    copy = tmp_path / "copy.yaml"
    copy.write_bytes(file.read_bytes())
    assert len(load([file, copy]).trainings) == 1
    copy.write_text(file.read_text().replace("1.0", "2.0"))
    with pytest.raises(UserError, match="duplicate ModelTraining 'wine'"):
        load([file, copy])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"- a\n- b\n", "not a manifest"),
        (b"id: x\n", "is missing"),
        (b"a: 'x", "invalid YAML"),
    ],
)
def test_rejects_file_without_manifest(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        load([file])
    [problem] = error.value.problems
    assert message in problem.message
    assert problem.location.file == str(file)


def test_reports_missing_file_and_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as error:
        load([tmp_path / "no.yaml", tmp_path / "empty"])
    assert [problem.message for problem in error.value.problems] == [
        "no such file or directory",
        "the directory contains no .yaml, .yml or .json file",
    ]


def test_loads_list_of_manifests(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text("[\n" + json.dumps(training()) + ",\n" + json.dumps({**training(workdir="x"), "id": "b"}) + "\n]")
    manifests = load_with_problems([file])
    assert [loaded.manifest.id for loaded in manifests.trainings] == ["wine"]
    assert [str(problem.location) for problem in manifests.problems] == [f"{file}:3: spec.workdir"]


def test_skips_other_files_in_directory(tmp_path: Path) -> None:
    write(tmp_path, training())
    (tmp_path / "conda.yaml").write_text("name: example\ndependencies: [pip]\n")
    (tmp_path / "request.json").write_text("[[1, 2]]")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "broken.yaml").write_text("{")
    manifests = load_with_problems([tmp_path])
    assert (len(manifests.trainings), len(manifests.skipped), manifests.problems) == (1, 2, ())
    with pytest.raises(UserError, match="is missing"):
        load([tmp_path / "conda.yaml"])


def test_loads_file_once(tmp_path: Path) -> None:
    file = write(tmp_path, training())
    assert len(load([file, tmp_path, tmp_path / "." / file.name]).trainings) == 1


def test_loads_named_pipe(tmp_path: Path) -> None:
    file, pipe = write(tmp_path, training()), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(file.read_bytes()))
    writer.start()
    assert [loaded.manifest.id for loaded in load([pipe]).trainings] == ["wine"]
    writer.join()


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("git", "ftp://x/y.git"),
        ("git", "ext::sh -c id"),
        ("git", "-u./payload"),
        ("s3", "bucket/path"),
        ("s3", "s3:///path"),
        ("gcs", "s3://bucket"),
        ("azureblob", "s3://bucket"),
        ("git", "<paste your uri>"),
        ("git", "https://[bad/x.git"),
    ],
)
def test_rejects_invalid_uri(tmp_path: Path, kind: str, uri: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps({"kind": "Connection", "id": "c", "spec": {"type": kind, "uri": uri}}))
    with pytest.raises(UserError) as error:
        load([file])
    assert [problem.location.field for problem in error.value.problems] == ["spec.uri"]


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("git", "git@git.example.org:ml/x.git"),
        ("git", "ssh://git@git.example.org:2222/x.git"),
        ("git", "git@host:/absolute/x.git"),
        ("git", "file:///srv/x.git"),
        ("git", "https://git.example.org/x.git"),
        ("s3", "s3://bucket"),
        ("s3", "s3://bucket/a b/ü"),
        ("gcs", "gsc://bucket/x"),
        ("azureblob", "https://a.blob.core.windows.net/c/x"),
        ("azureblob", "abfss://c@a.dfs.core.windows.net/x"),
        ("docker", "registry.example.org/team"),
    ],
)
def test_accepts_valid_uri(tmp_path: Path, kind: str, uri: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps({"kind": "Connection", "id": "c", "spec": {"type": kind, "uri": uri}}))
    assert load([file]).connections[0].manifest.spec.uri == uri


def test_repr_hides_secrets(tmp_path: Path) -> None:
    secrets = "password: canary-1, keyID: canary-2, keySecret: canary-3"
    connection = f"kind: Connection\nid: c\nspec: {{type: s3, uri: s3://b, {secrets}}}\n"
    manifests = load([write(tmp_path, training(), connections=connection)])
    assert "s3://b" in repr(manifests.connections[0].manifest)
    assert "canary" not in repr(manifests.connections[0].manifest)
    assert "canary" not in manifests.connections[0].manifest.model_dump_json()
