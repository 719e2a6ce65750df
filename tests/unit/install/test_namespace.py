"""Manifests of `odahu-argo setup`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from odahu_argo.install.namespace import namespace_manifests
from odahu_argo.profile import Profile, parse_profile
from tests.commands import odahu_argo


def objects(profile: Profile, text: str | None = None, namespace: str = "ml") -> dict[tuple[str, str], Any]:
    documents = yaml.safe_load_all(namespace_manifests(profile, namespace, text))
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.booleans())
@example("a\n\n\n", False)
@example("a\n\n\n", True)
@example("  indented:\n x\n\n\ty: |\n  {{ z }} # é\r\n", True)
@example("", False)
@example("\n", True)
def test_profile_text_is_preserved(text: str, recorder: bool) -> None:
    printed = objects(Profile(recorder=recorder), text)
    assert printed["ConfigMap", "odahu-argo-profile"]["data"] == {"profile.yaml": text}
    assert ("Deployment", "odahu-argo-recorder") in printed or not recorder


def test_profile_text_is_preserved_after_hera_changed_pyyaml() -> None:
    import hera.workflows  # noqa: F401

    printed = objects(Profile(), "a\n\n\n")
    assert printed["ConfigMap", "odahu-argo-profile"]["data"] == {"profile.yaml": "a\n\n\n"}


def test_strings_stay_strings_in_yaml() -> None:
    profile = Profile.model_validate(
        {
            "namespace": "123",
            "service_account": "0x1f",
            "controller_image": "on",
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


def test_without_profile_neither_config_map_nor_namespace_is_printed() -> None:
    kinds = [kind for kind, _ in objects(Profile())]
    assert "ConfigMap" not in kinds
    assert "Namespace" not in kinds
    assert kinds.count("ServiceAccount") == 2


def test_disabled_recorder_is_not_printed() -> None:
    assert not [name for _, name in objects(Profile(recorder=False)) if "recorder" in name]


@pytest.mark.parametrize(("specified", "is_printed"), [("ml", True), ("other", False)])
def test_namespace_is_printed_if_the_profile_specifies_it(specified: str, is_printed: bool) -> None:
    printed = objects(Profile(namespace=specified))
    assert (("Namespace", "ml") in printed) == is_printed


def test_printing_needs_no_cluster_and_preserves_the_file(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("# ours\nnamespace: ml\n", encoding="utf-8")
    ran = odahu_argo("setup", "--profile", profile, env={"KUBECONFIG": "/nonexistent"})
    assert ran.code == 0, ran.err
    printed = {each["kind"]: each for each in yaml.safe_load_all(ran.out)}
    assert printed["ConfigMap"]["data"]["profile.yaml"] == profile.read_text()
    assert parse_profile(printed["ConfigMap"]["data"]["profile.yaml"], "x").namespace == "ml"


def test_invalid_profile_and_missing_namespace_are_reported(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("nmespace: ml\n", encoding="utf-8")
    assert "did you mean namespace?" in odahu_argo("setup", "--profile", profile).err
    assert odahu_argo("setup").code == 2
    assert "cannot read the profile" in odahu_argo("setup", "--profile", tmp_path / "none").err
