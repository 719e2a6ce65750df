"""Fields that ODAHU 1.5 renamed: either spelling works, both together are an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from odahu_argo import load
from odahu_argo.contract import CheckoutSpec, DownloadSpec
from odahu_argo.errors import UserError
from odahu_argo.pools import Pool, Pools
from odahu_argo.profile import Profile
from tests.manifests import plan, problems, training, write

VCS = {"vcs": {"connection": "code", "reference": "v2"}, "objectStorage": {}}
FROM_BUCKET = {"objectStorage": {"connection": "wine-data", "path": "code/wine/"}}


def test_code_in_git_in_either_spelling(tmp_path: Path) -> None:
    new = plan(tmp_path, vcsName=None, algorithmSource=VCS, data=[{"connection": "wine-data", "localPath": "data/"}])
    old = plan(tmp_path, reference="v2")
    assert replace(new, spec=old.spec) == old
    assert new.step("checkout").spec == CheckoutSpec("code", "v2")


def test_code_from_bucket_replaces_checkout(tmp_path: Path) -> None:
    checkout = plan(tmp_path, vcsName=None, algorithmSource=FROM_BUCKET).step("checkout")
    assert checkout.spec == DownloadSpec("wine-data", "./", "code/wine/", is_code=True)
    assert checkout.results == ()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"algorithmSource": VCS}, "spec.algorithmSource: algorithmSource and vcsName are both set"),
        (
            {"vcsName": None, "algorithmSource": {**VCS, **FROM_BUCKET}},
            "spec.algorithmSource: algorithmSource.vcs and algorithmSource.objectStorage are both set",
        ),
        (
            {"vcsName": None, "algorithmSource": VCS, "reference": "v1"},
            "spec.reference: reference has no effect with algorithmSource",
        ),
        (
            {"data": [{"connName": "wine-data", "connection": "wine-data", "localPath": "x"}]},
            "spec.data[0].connName: connName and connection are both set",
        ),
        ({"data": [{"localPath": "x"}]}, "spec.data[0].connName: required field is missing"),
    ],
)
def test_reports_duplicate_and_missing_fields(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(**spec))])
    assert problems(error.value) == [message]


@pytest.mark.parametrize("source", [None, {"vcs": {}, "objectStorage": {}}])
def test_source_is_required_on_a_cluster(tmp_path: Path, source: dict[str, Any] | None) -> None:
    load([write(tmp_path, training(vcsName=None, algorithmSource=source))])
    with pytest.raises(UserError) as error:
        plan(tmp_path, vcsName=None, algorithmSource=source)
    assert problems(error.value) == ["spec.vcsName: required field is missing"]


def test_node_selector_must_match_pool(tmp_path: Path) -> None:
    profile = Profile(pools=Pools(cpu=Pool(node_selector={"pool": "cpu"})))
    assert plan(tmp_path, profile, nodeSelector={"pool": "cpu"}).step("train").placement.node_selector == {
        "pool": "cpu"
    }
    with pytest.raises(UserError) as error:
        plan(tmp_path, profile, nodeSelector={"pool": "gpu"})
    assert problems(error.value) == ["spec.nodeSelector: no CPU node pool of the profile has the selector pool=gpu"]


def test_args_give_warning(tmp_path: Path) -> None:
    manifests = load([write(tmp_path, training(args=["--fast"]))])
    assert [warning.location.field for warning in manifests.warnings] == ["spec.args"]


def test_rejects_code_path_outside_bucket(tmp_path: Path) -> None:
    source = {"objectStorage": {"connection": "wine-data", "path": "a/../../b"}}
    with pytest.raises(UserError) as error:
        plan(tmp_path, vcsName=None, algorithmSource=source)
    assert problems(error.value) == ["spec.algorithmSource.objectStorage.path: 'a/../../b' is outside the bucket"]
