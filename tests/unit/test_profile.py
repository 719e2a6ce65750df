from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.profile import Profile, Requirements, Resources, load
from tests.manifests import problems


def profile(folder: Path, text: str) -> Profile:
    file = folder / "profile.yaml"
    file.write_text(text)
    return load(file)


def test_an_empty_file_and_none_at_all_are_the_defaults(tmp_path: Path) -> None:
    assert profile(tmp_path, "# nothing\n") == load(None) == Profile()


def test_what_a_profile_does_not_say_of_resources_stays(tmp_path: Path) -> None:
    found = profile(tmp_path, "training_resources: {limits: {cpu: 8}}\nstep_resources: {requests: {memory: 1Gi}}\n")
    assert found.training_resources == Requirements(
        limits=Resources(cpu="8", memory="4Gi"), requests=Resources(cpu="1", memory="2Gi")
    )
    assert found.step_resources.requests == Resources(cpu="250m", memory="1Gi")


@pytest.mark.parametrize("text", ["step_resources: {limits: {cpu: }}", "training_resources:\n  limits:\n"])
def test_a_setting_left_empty_is_one_not_given(tmp_path: Path, text: str) -> None:
    assert profile(tmp_path, text) == Profile()


def test_models_output_lives_on_the_cluster_whatever_else_does(tmp_path: Path) -> None:
    found = profile(tmp_path, "external_connections: [wine-data]\n")
    assert found.is_external("wine-data")
    assert found.is_external("models-output")
    assert not found.is_external("code")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training_resources: {limits: {cpu: 1}, requests: {cpu: 2}}", "the cpu request of 2 is above the limit of 1"),
        ("training_resources: {limits: {gpu: 1}}", "a GPU is for a training to ask for, not for a default"),
        ("timeouts: {train: 0s}", "must be longer than nothing"),
        ("workspace: {size: 20}", "20 are bytes; write for example 20Gi"),
        ("runner_image: my image", "'my image' is not a container image"),
        ("retries: {train: -1}", "must be greater than or equal to 0"),
        ("retries: {train: 1000000}", "must be less than or equal to 100"),
        ("pools: {gpu: {tolerations: [{operatr: Exists}]}}", "there is no field 'operatr'"),
        ("pools: {cpu: {node_selector: {a b: c}}}", "'a b' is not a Kubernetes label name"),
        ("tracking: {uri: 'mlflow:5000'}", "'mlflow:5000' is no tracking server that pods can reach"),
        ("tracking: {uri: 'file:///x'}", "'file:///x' is no tracking server that pods can reach"),
        ("tracking: {uri: 'http://u:p@mlflow:5000'}", "must hold no credentials"),
        ("tracking: {uri: 'http://{{workflow.name}}'}", "must hold no credentials and no template"),
        ("user_id: 0", "must be greater than or equal to 1"),
        ("namespace: My_NS", "'My_NS' is not a Kubernetes name"),
        ("- a", "must be a mapping"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        profile(tmp_path, text)
    [line] = problems(error.value)
    assert told in line


def test_an_unreadable_profile_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load(tmp_path / "no.yaml")
