from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.profile import Profile, ResourceList, ResourceRequirements, load_profile
from tests.manifests import problems


def profile(folder: Path, text: str) -> Profile:
    file = folder / "profile.yaml"
    file.write_text(text)
    return load_profile(file)


def test_empty_or_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert profile(tmp_path, "# nothing\n") == load_profile(None) == Profile()


def test_unspecified_resources_keep_their_defaults(tmp_path: Path) -> None:
    settings = profile(tmp_path, "training_resources: {limits: {cpu: 8}}\nstep_resources: {requests: {memory: 1Gi}}\n")
    assert settings.training_resources == ResourceRequirements(
        limits=ResourceList(cpu="8", memory="4Gi"), requests=ResourceList(cpu="1", memory="2Gi")
    )
    assert settings.step_resources.requests == ResourceList(cpu="250m", memory="1Gi")


@pytest.mark.parametrize("text", ["step_resources: {limits: {cpu: }}", "training_resources:\n  limits:\n"])
def test_empty_setting_equals_an_unset_one(tmp_path: Path, text: str) -> None:
    assert profile(tmp_path, text) == Profile()


def test_output_connection_is_always_external(tmp_path: Path) -> None:
    settings = profile(tmp_path, "external_connections: [wine-data]\n")
    assert settings.is_external("wine-data")
    assert settings.is_external("models-output")
    assert not settings.is_external("code")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training_resources: {limits: {cpu: 1}, requests: {cpu: 2}}", "the cpu request of 2 exceeds the limit of 1"),
        ("training_resources: {limits: {gpu: 1}}", "a default cannot include GPUs"),
        ("timeouts: {train: 0s}", "must be longer than 0s"),
        ("workspace: {size: 20}", "20 is a number of bytes; did you mean 20Gi?"),
        ("runner_image: my image", "'my image' is not a valid container image"),
        ("retries: {train: -1}", "must be greater than or equal to 0"),
        ("retries: {train: 1000000}", "must be less than or equal to 100"),
        ("pools: {gpu: {tolerations: [{operatr: Exists}]}}", "unknown field 'operatr'"),
        ("pools: {cpu: {node_selector: {a b: c}}}", "'a b' is not a Kubernetes label name"),
        ("tracking: {uri: 'mlflow:5000'}", "'mlflow:5000' is not the URI of a tracking server that pods can reach"),
        ("tracking: {uri: 'file:///x'}", "'file:///x' is not the URI of a tracking server that pods can reach"),
        ("tracking: {uri: 'http://u:p@mlflow:5000'}", "must not contain credentials"),
        ("tracking: {uri: 'http://{{workflow.name}}'}", "must not contain credentials or templates"),
        ("user_id: 0", "must be greater than or equal to 1"),
        ("namespace: My_NS", "'My_NS' is not a Kubernetes name"),
        ("- a", "must be a mapping"),
    ],
)
def test_invalid_setting_is_rejected(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        profile(tmp_path, text)
    [line] = problems(error.value)
    assert message in line


def test_unreadable_profile_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the profile: No such file"):
        load_profile(tmp_path / "no.yaml")
