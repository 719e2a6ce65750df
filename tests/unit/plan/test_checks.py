from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from tests.manifests import plan, problems


def data(local_path: str, remote_path: str = "") -> dict[str, object]:
    return {"data": [{"connName": "wine-data", "localPath": local_path, "remotePath": remote_path}]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (data("../x"), "spec.data[0].localPath: '../x' leaves the repository"),
        (data("a/../../x"), "spec.data[0].localPath: 'a/../../x' leaves the repository"),
        (data("/etc/passwd"), "spec.data[0].localPath: '/etc/passwd' leaves the repository"),
        (data(".git/hooks/"), "spec.data[0].localPath: '.git/hooks/' is git's own folder"),
        (data("x", "a/../b"), "spec.data[0].remotePath: 'a/../b' leaves the bucket"),
        ({"workDir": "../other"}, "spec.workDir: '../other' leaves the repository"),
        (
            {"envs": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            "spec.envs[1].name: the environment variable 'A' is set twice",
        ),
        (
            {"data": [data("x.csv")["data"][0], data("./x.csv")["data"][0]]},  # type: ignore[index]
            "spec.data[1].localPath: two downloads write 'x.csv'",
        ),
        (
            {"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1025Mi"}}},
            "spec.resources.requests.memory: the request of 1025Mi is above the limit of 1Gi",
        ),
        (
            {"resources": {"limits": {"gpu": "2"}, "requests": {"gpu": "1"}}},
            "spec.resources.requests.gpu: requests 1 GPUs and limits 2; Kubernetes wants both equal",
        ),
        (
            {"model": {"name": "wine", "version": "1", "artifactNameTemplate": "a/{{ .Name }}"}},
            "spec.model.artifactNameTemplate: artifactNameTemplate 'a/{{ .Name }}' cannot be used: "
            "it gives 'a/wine', which is not a safe file name",
        ),
    ],
)
def test_a_mistake_is_told_with_its_field(tmp_path: Path, spec: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, **spec)
    assert problems(error.value) == [told]


@pytest.mark.parametrize("local_path", ["./data/", "data/..data", "a/../b", ".gitignore", "x y/ü"])
def test_a_path_that_stays_in_the_repository_is_taken(tmp_path: Path, local_path: str) -> None:
    assert plan(tmp_path, **data(local_path)).step("download-wine-data")


def test_a_folder_and_a_file_may_share_a_parent(tmp_path: Path) -> None:
    both = [{"connName": "wine-data", "localPath": p} for p in ("data/", "data/", "data/x.csv")]
    assert len(plan(tmp_path, data=both).steps) == 6


def test_a_toolchain_whose_program_is_unknown_is_refused(tmp_path: Path) -> None:
    from odahu_argo import Profile, build_plans, load, resolve
    from tests.manifests import training, write

    own = {"kind": "ToolchainIntegration", "id": "own", "spec": {"entrypoint": "/usr/bin/train"}}
    with pytest.raises(UserError) as error:
        build_plans(resolve(load([write(tmp_path, training(toolchain="own"), own)]), Profile()), Profile())
    assert problems(error.value) == [
        "spec.toolchain: the toolchain 'own' trains with '/usr/bin/train', which odahu-argo does not know"
    ]


def test_the_mistakes_of_several_fields_come_together(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, workDir="/x", **data("../x"))
    assert len(problems(error.value)) == 2


def test_documents_references_and_checks_are_told_in_one_go(tmp_path: Path) -> None:
    from odahu_argo.manifest.load import gather
    from odahu_argo.plan.build import plan_trainings
    from odahu_argo.profile import Profile
    from tests.manifests import training, write

    unreadable = {**training(), "id": "Unreadable"}
    lost = {**training(vcsName="lost"), "id": "lost"}
    outside = {**training(workDir="/x"), "id": "outside"}
    broken_connection = {"kind": "Connection", "id": "broken", "spec": {"type": "s4", "uri": "s3://x"}}
    uses_it = {**training(data=[{"connName": "broken", "localPath": "x"}]), "id": "uses-it"}
    file = write(tmp_path, unreadable, lost, outside, broken_connection, uses_it)
    with pytest.raises(UserError) as error:
        plan_trainings(gather([file]), Profile())
    assert [line.split(":")[0] for line in problems(error.value)] == ["id", "spec.type", "spec.vcsName", "spec.workDir"]
