from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo import load, resolve
from odahu_argo.errors import UserError
from odahu_argo.manifest.resolve import ResolvedTraining
from odahu_argo.profile import Profile
from tests.manifests import CONNECTIONS, problems, training, write


def resolve_one(directory: Path, profile: Profile | None = None, **spec: object) -> ResolvedTraining:
    [one] = resolve(load([write(directory, training(**spec))]), profile or Profile())
    return one


def test_resolves_connections_by_name(tmp_path: Path) -> None:
    resolved = resolve_one(tmp_path)
    assert {name: connection is not None for name, connection in resolved.connections.items()} == {
        "code": True,
        "wine-data": True,
        "models-output": False,
    }
    assert resolved.output_connection == "models-output"


def test_missing_connection_has_hint(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolve_one(tmp_path, data=[{"connName": "wine-dat", "localPath": "x"}])
    assert problems(error.value) == ["spec.data[0].connName: the files contain no connection 'wine-dat'"]
    assert "did you mean wine-data?" in str(error.value)
    assert "--external-connection wine-dat" in str(error.value)


def test_external_connection(tmp_path: Path) -> None:
    profile = Profile().with_external(("elsewhere",))
    resolved = resolve_one(tmp_path, profile, data=[{"connName": "elsewhere", "localPath": "x"}])
    assert resolved.connections["elsewhere"] is None


def test_output_connection_of_training_overrides_profile(tmp_path: Path) -> None:
    profile = Profile(output_connection="wine-data", external_connections=())
    assert resolve_one(tmp_path, profile).output_connection == "wine-data"
    declared = profile.with_external(("mine",))
    assert resolve_one(tmp_path, declared, outputConnection="mine").output_connection == "mine"


def test_rejects_connection_of_wrong_type(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolve_one(tmp_path, vcsName="wine-data", data=[{"connName": "code", "localPath": "x"}])
    assert problems(error.value) == [
        "spec.vcsName: connection 'wine-data' has type s3; git is required",
        "spec.data[0].connName: connection 'code' has type git; s3, gcs or azureblob is required",
    ]


def test_unknown_toolchain_has_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolve_one(tmp_path, toolchain="mlfow")
    assert problems(error.value) == ["spec.toolchain: unknown toolchain 'mlfow'"]
    assert "did you mean mlflow?" in str(error.value)


def test_manifest_overrides_built_in_toolchain(tmp_path: Path) -> None:
    toolchain = {
        "kind": "ToolchainIntegration",
        "id": "mlflow",
        "spec": {"entrypoint": "mlflow", "defaultImage": "own:1"},
    }
    [resolved] = resolve(load([write(tmp_path, training(), toolchain)]), Profile())
    assert resolved.toolchain.spec.default_image == "own:1"


def test_selects_training_by_id(tmp_path: Path) -> None:
    manifests = load([write(tmp_path, training(), {**training(), "id": "other"})])
    assert [resolved.training.id for resolved in resolve(manifests, Profile())] == ["wine", "other"]
    assert [resolved.training.id for resolved in resolve(manifests, Profile(), "other")] == ["other"]
    with pytest.raises(UserError, match="did you mean other"):
        resolve(manifests, Profile(), "othr")


def test_reports_files_without_training(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONNECTIONS)
    with pytest.raises(UserError, match="contain no ModelTraining"):
        resolve(load([file]), Profile())
