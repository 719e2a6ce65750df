from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo import load, resolve
from odahu_argo.errors import UserError
from odahu_argo.manifest.resolve import ResolvedTraining
from odahu_argo.profile import Profile
from tests.manifests import CONNECTIONS, problems, training, write


def resolved(folder: Path, profile: Profile | None = None, **spec: object) -> ResolvedTraining:
    [one] = resolve(load([write(folder, training(**spec))]), profile or Profile())
    return one


def test_connections_are_found_by_name_and_models_output_lives_on_the_cluster(tmp_path: Path) -> None:
    found = resolved(tmp_path)
    assert {name: connection is not None for name, connection in found.connections.items()} == {
        "code": True,
        "wine-data": True,
        "models-output": False,
    }
    assert found.output_connection == "models-output"


def test_a_missing_connection_is_an_error_that_tells_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolved(tmp_path, data=[{"connName": "wine-dat", "localPath": "x"}])
    assert problems(error.value) == [
        "spec.data[0].connName: there is no connection 'wine-dat' among the given manifests"
    ]
    assert "did you mean wine-data?" in str(error.value)
    assert "--external-connection wine-dat" in str(error.value)


def test_a_connection_declared_external_is_taken_on_trust(tmp_path: Path) -> None:
    profile = Profile().with_external(("elsewhere",))
    found = resolved(tmp_path, profile, data=[{"connName": "elsewhere", "localPath": "x"}])
    assert found.connections["elsewhere"] is None


def test_the_profile_decides_where_models_go_unless_the_training_does(tmp_path: Path) -> None:
    profile = Profile(output_connection="wine-data", external_connections=())
    assert resolved(tmp_path, profile).output_connection == "wine-data"
    declared = profile.with_external(("mine",))
    assert resolved(tmp_path, declared, outputConnection="mine").output_connection == "mine"


def test_a_connection_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolved(tmp_path, vcsName="wine-data", data=[{"connName": "code", "localPath": "x"}])
    assert problems(error.value) == [
        "spec.vcsName: the connection 'wine-data' is of type s3; git is needed here",
        "spec.data[0].connName: the connection 'code' is of type git; s3, gcs or azureblob is needed here",
    ]


def test_an_unknown_toolchain_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        resolved(tmp_path, toolchain="mlfow")
    assert problems(error.value) == ["spec.toolchain: there is no toolchain 'mlfow'"]
    assert "did you mean mlflow?" in str(error.value)


def test_a_manifest_overrides_the_built_in_toolchain(tmp_path: Path) -> None:
    toolchain = {
        "kind": "ToolchainIntegration",
        "id": "mlflow",
        "spec": {"entrypoint": "mlflow", "defaultImage": "own:1"},
    }
    [found] = resolve(load([write(tmp_path, training(), toolchain)]), Profile())
    assert found.toolchain.spec.default_image == "own:1"


def test_one_training_of_several_is_chosen_by_its_id(tmp_path: Path) -> None:
    manifests = load([write(tmp_path, training(), {**training(), "id": "other"})])
    assert [each.training.id for each in resolve(manifests, Profile())] == ["wine", "other"]
    assert [each.training.id for each in resolve(manifests, Profile(), "other")] == ["other"]
    with pytest.raises(UserError, match="did you mean other"):
        resolve(manifests, Profile(), "othr")


def test_files_without_a_training_are_told_so(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONNECTIONS)
    with pytest.raises(UserError, match="hold no ModelTraining"):
        resolve(load([file]), Profile())
