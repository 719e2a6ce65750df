"""What `setup` prints is what it says, whatever the profile holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from odahu_argo.install.namespace import setup_text
from odahu_argo.profile import Profile, parse
from tests.commands import odahu_argo


def objects(profile: Profile, text: str | None = None, namespace: str = "ml") -> dict[tuple[str, str], Any]:
    documents = yaml.safe_load_all(setup_text(profile, namespace, text))
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.booleans())
@example("a\n\n\n", False)
@example("a\n\n\n", True)
@example("  indented:\n x\n\n\ty: |\n  {{ z }} # é\r\n", True)
@example("", False)
@example("\n", True)
def test_the_profile_comes_through_as_it_is(text: str, recorder: bool) -> None:
    printed = objects(Profile(recorder=recorder), text)
    assert printed["ConfigMap", "odahu-argo-profile"]["data"] == {"profile.yaml": text}
    assert ("Deployment", "odahu-argo-recorder") in printed or not recorder


def test_the_profile_comes_through_whatever_has_changed_pyyaml() -> None:
    import hera.workflows  # noqa: F401

    printed = objects(Profile(), "a\n\n\n")
    assert printed["ConfigMap", "odahu-argo-profile"]["data"] == {"profile.yaml": "a\n\n\n"}


def test_names_and_settings_that_look_like_something_else_stay_text() -> None:
    profile = Profile.model_validate(
        {
            "namespace": "123",
            "service_account": "0x1f",
            "runner_image": "on",
            "image_pull_secrets": ["12e3"],
            "pools": {
                "cpu": {"node_selector": {"pool": "true"}, "tolerations": [{"key": "yes", "operator": "Exists"}]}
            },
        }
    )
    printed = objects(profile, namespace="123")
    assert {each["metadata"]["namespace"] for (kind, _), each in printed.items() if kind != "Namespace"} == {"123"}
    assert printed["RoleBinding", "0x1f"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "0x1f", "namespace": "123"}
    ]
    pod = printed["Deployment", "odahu-argo-recorder"]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "12e3"}]
    assert pod["containers"][0]["image"] == "on"
    assert pod["nodeSelector"] == {"pool": "true"}
    assert pod["tolerations"] == [{"key": "yes", "operator": "Exists"}]


def test_without_a_profile_there_is_none_on_the_cluster_and_no_namespace_is_made() -> None:
    kinds = [kind for kind, _ in objects(Profile())]
    assert "ConfigMap" not in kinds
    assert "Namespace" not in kinds
    assert kinds.count("ServiceAccount") == 2


def test_a_site_without_a_recorder_gets_none() -> None:
    assert not [name for _, name in objects(Profile(recorder=False)) if "recorder" in name]


@pytest.mark.parametrize(("named", "is_made"), [("ml", True), ("other", False)])
def test_the_namespace_is_made_where_the_profile_names_it(named: str, is_made: bool) -> None:
    printed = objects(Profile(namespace=named))
    assert (("Namespace", "ml") in printed) == is_made


def test_printing_needs_no_cluster_and_keeps_the_file_as_written(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("# ours\nnamespace: ml\n", encoding="utf-8")
    ran = odahu_argo("setup", "--profile", profile, env={"KUBECONFIG": "/nonexistent"})
    assert ran.code == 0, ran.err
    printed = {each["kind"]: each for each in yaml.safe_load_all(ran.out)}
    assert printed["ConfigMap"]["data"]["profile.yaml"] == profile.read_text()
    assert parse(printed["ConfigMap"]["data"]["profile.yaml"], "x").namespace == "ml"


def test_a_wrong_profile_and_a_missing_namespace_are_told(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("nmespace: ml\n", encoding="utf-8")
    assert "did you mean namespace?" in odahu_argo("setup", "--profile", profile).err
    assert odahu_argo("setup").code == 2
    assert "the profile cannot be read" in odahu_argo("setup", "--profile", tmp_path / "none").err
