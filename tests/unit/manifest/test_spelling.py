"""ODAHU 1.5 and 1.6 spell some things anew; both spellings work, together they are a mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from odahu_argo import load
from odahu_argo.contract import CheckoutSpec, DownloadSpec
from odahu_argo.errors import UserError
from odahu_argo.profile import Pool, Pools, Profile
from tests.manifests import plan, problems, training, write

VCS = {"vcs": {"connection": "code", "reference": "v2"}, "objectStorage": {}}
STORED = {"objectStorage": {"connection": "wine-data", "path": "code/wine/"}}


def test_code_in_git_is_spelt_either_way(tmp_path: Path) -> None:
    new = plan(tmp_path, vcsName=None, algorithmSource=VCS, data=[{"connection": "wine-data", "localPath": "data/"}])
    old = plan(tmp_path, reference="v2")
    assert replace(new, spec=old.spec) == old
    assert new.step("checkout").spec == CheckoutSpec("code", "v2")


def test_code_from_a_bucket_takes_the_place_of_the_checkout(tmp_path: Path) -> None:
    checkout = plan(tmp_path, vcsName=None, algorithmSource=STORED).step("checkout")
    assert checkout.spec == DownloadSpec("wine-data", "./", "code/wine/", is_code=True)
    assert checkout.results == ()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"algorithmSource": VCS}, "spec.algorithmSource: algorithmSource and vcsName both say where the code is"),
        (
            {"vcsName": None, "algorithmSource": {**VCS, **STORED}},
            "spec.algorithmSource: algorithmSource.vcs and algorithmSource.objectStorage both say where the code is",
        ),
        ({"vcsName": None}, "spec.vcsName: is missing"),
        ({"vcsName": None, "algorithmSource": {"vcs": {}, "objectStorage": {}}}, "spec.vcsName: is missing"),
        (
            {"vcsName": None, "algorithmSource": VCS, "reference": "v1"},
            "spec.reference: reference belongs to vcsName; with algorithmSource it is algorithmSource.vcs.reference",
        ),
        (
            {"data": [{"connName": "wine-data", "connection": "wine-data", "localPath": "x"}]},
            "spec.data[0].connName: connName and connection both name the connection",
        ),
        ({"data": [{"localPath": "x"}]}, "spec.data[0].connName: is missing"),
    ],
)
def test_what_is_said_twice_or_never_is_told(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as error:
        load([write(tmp_path, training(**spec))])
    assert problems(error.value) == [told]


def test_a_node_selector_must_be_that_of_the_pool(tmp_path: Path) -> None:
    profile = Profile(pools=Pools(cpu=Pool(node_selector={"pool": "cpu"})))
    assert plan(tmp_path, profile, nodeSelector={"pool": "cpu"}).step("train").placement.node_selector == {
        "pool": "cpu"
    }
    with pytest.raises(UserError) as error:
        plan(tmp_path, profile, nodeSelector={"pool": "gpu"})
    assert problems(error.value) == ["spec.nodeSelector: no node pool of the profile has the selector pool=gpu"]


def test_args_are_taken_with_a_warning(tmp_path: Path) -> None:
    manifests = load([write(tmp_path, training(args=["--fast"]))])
    assert [warning.where.field for warning in manifests.warnings] == ["spec.args"]


def test_a_code_path_that_leaves_the_bucket_is_refused(tmp_path: Path) -> None:
    source = {"objectStorage": {"connection": "wine-data", "path": "a/../../b"}}
    with pytest.raises(UserError) as error:
        plan(tmp_path, vcsName=None, algorithmSource=source)
    assert problems(error.value) == ["spec.algorithmSource.objectStorage.path: 'a/../../b' leaves the bucket"]
