from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec, DownloadSpec, PackageSpec, TrainSpec
from odahu_argo.plan.model import Amounts
from odahu_argo.pools import Pool, Pools
from odahu_argo.profile import Profile
from tests.manifests import plan

TWO = [
    {"connName": "wine-data", "localPath": "a/"},
    {"connName": "wine-data", "localPath": "b.csv", "remotePath": "other/b.csv"},
]


def test_downloads_run_in_parallel_after_checkout(tmp_path: Path) -> None:
    levels = plan(tmp_path, data=TWO).levels
    assert [[step.name for step in level] for level in levels] == [
        ["checkout"],
        ["download-wine-data", "download-wine-data-2"],
        ["train"],
        ["package"],
    ]


def test_training_without_data_follows_checkout(tmp_path: Path) -> None:
    planned = plan(tmp_path, data=None)
    assert [(step.name, step.needs) for step in planned.steps] == [
        ("checkout", ()),
        ("train", ("checkout",)),
        ("package", ("train",)),
    ]


def test_step_specifications(tmp_path: Path) -> None:
    planned = plan(tmp_path, data=TWO, workDir="w", hyperParameters={"a": "1"})
    assert [step.spec for step in planned.steps] == [
        CheckoutSpec("code", "develop"),
        DownloadSpec("wine-data", "a/"),
        DownloadSpec("wine-data", "b.csv", "other/b.csv"),
        TrainSpec("wine", "wine", "1.0", "w", "main", {"a": "1"}, environment_manager="auto"),
        PackageSpec(
            "wine",
            "wine",
            "1.0",
            "mlflow",
            "{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip",
            "models-output",
            artifact_format="tar.gz",
        ),
    ]
    assert planned.step("train").connection is None


@pytest.mark.parametrize(("reference", "expected"), [("v1.0", "v1.0"), ("", "develop"), (None, "develop")])
def test_reference_of_training_overrides_connection(tmp_path: Path, reference: str | None, expected: str) -> None:
    spec = plan(tmp_path, reference=reference).step("checkout").spec
    assert isinstance(spec, CheckoutSpec)
    assert spec.reference == expected


def test_default_branch_without_reference(tmp_path: Path) -> None:
    profile = Profile().with_external(("elsewhere",))
    assert plan(tmp_path, profile, vcsName="elsewhere").step("checkout").spec == CheckoutSpec("elsewhere", "")


def test_profile_selects_zip_for_odahu_1_0(tmp_path: Path) -> None:
    spec = plan(tmp_path, Profile(artifact_format="zip")).step("package").spec
    assert isinstance(spec, PackageSpec)
    assert spec.artifact_format == "zip"


def test_environment_of_training_overrides_toolchain(tmp_path: Path) -> None:
    from odahu_argo import build_plans, load, resolve
    from tests.manifests import training, write

    toolchain = {
        "entrypoint": "/opt/conda/bin/odahuflow-mlflow-runner",
        "additionalEnvironments": {"A": "tool", "B": "tool"},
    }
    manifest = {"kind": "ToolchainIntegration", "id": "own", "spec": toolchain}
    file = write(tmp_path, training(toolchain="own", envs=[{"name": "A", "value": "user"}]), manifest)
    [planned] = build_plans(resolve(load([file]), Profile()), Profile())
    spec = planned.step("train").spec
    assert isinstance(spec, TrainSpec)
    assert spec.environment == {"A": "user", "B": "tool"}
    assert spec.trainer == "mlflow"
    packaging = planned.step("package").spec
    assert isinstance(packaging, PackageSpec)
    assert packaging.environment == spec.environment


def test_default_resources_from_profile(tmp_path: Path) -> None:
    train = plan(tmp_path).step("train")
    assert (train.limits, train.requests) == (Amounts("2", "4Gi"), Amounts("1", "2Gi"))


def test_defaults_do_not_contradict_given_resources(tmp_path: Path) -> None:
    train = plan(tmp_path, resources={"limits": {"cpu": "500m"}, "requests": {"memory": "8Gi"}}).step("train")
    assert (train.limits, train.requests) == (Amounts("500m", "8Gi"), Amounts("500m", "8Gi"))


@pytest.mark.parametrize("where", ["limits", "requests"])
def test_only_training_uses_gpus(tmp_path: Path, where: str) -> None:
    planned = plan(tmp_path, resources={where: {"gpu": "2"}})
    assert {step.name: step.limits.gpus for step in planned.steps} == {
        "checkout": 0,
        "download-wine-data": 0,
        "train": 2,
        "package": 0,
    }
    assert [step.name for step in planned.steps if step.pending_timeout] == ["train"]


def test_steps_on_gpu_pool_have_pending_timeout(tmp_path: Path) -> None:
    profile = Profile(pools=Pools(other_steps="with_training"))
    planned = plan(tmp_path, profile, resources={"limits": {"gpu": "1"}})
    assert {step.pending_timeout for step in planned.steps} == {1800}


@pytest.mark.parametrize(("other_steps", "pool"), [("with_training", "gpu"), ("on_cpu", "cpu")])
def test_pool_of_other_steps(tmp_path: Path, other_steps: str, pool: str) -> None:
    profile = Profile(pools=Pools(cpu=Pool(node_selector={"pool": "cpu"}), other_steps=other_steps))
    planned = plan(tmp_path, profile, resources={"limits": {"gpu": "1"}})
    assert {step.placement.pool for step in planned.steps if step.name != "train"} == {pool}
    assert planned.step("train").placement.pool == "gpu"


def test_cpu_training_uses_cpu_pool(tmp_path: Path) -> None:
    for gpus in ({}, {"limits": {"gpu": "0"}}):
        assert {step.placement.pool for step in plan(tmp_path, resources=gpus).steps} == {"cpu"}


def test_image_of_training_overrides_profile(tmp_path: Path) -> None:
    assert plan(tmp_path, image="own:1").step("train").image == "own:1"
    assert plan(tmp_path).step("train").image == Profile().training_image
    assert plan(tmp_path, image="own:1").step("package").image == Profile().runner_image
