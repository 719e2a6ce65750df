from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.contract import PackageSpec, TrainSpec
from odahu_argo.document import parse
from odahu_argo.errors import UserError
from odahu_argo.manifest.load import load_with_problems, parse_documents
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from tests.manifests import CONNECTIONS, plan, problems, training, write


def data(local_path: str, remote_path: str = "") -> dict[str, object]:
    return {"data": [{"connName": "wine-data", "localPath": local_path, "remotePath": remote_path}]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (data("../x"), "spec.data[0].localPath: '../x' is outside the repository"),
        (data("a/../../x"), "spec.data[0].localPath: 'a/../../x' is outside the repository"),
        (data("/etc/passwd"), "spec.data[0].localPath: '/etc/passwd' is outside the repository"),
        (data(".git/hooks/"), "spec.data[0].localPath: '.git/hooks/' is inside git's own directory"),
        (data("x", "a/../b"), "spec.data[0].remotePath: 'a/../b' is outside the bucket"),
        ({"workDir": "../other"}, "spec.workDir: '../other' is outside the repository"),
        (
            {"envs": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            "spec.envs[1].name: the environment variable 'A' is defined twice",
        ),
        (
            {"data": [data("x.csv")["data"][0], data("./x.csv")["data"][0]]},  # type: ignore[index]
            "spec.data[1].localPath: two downloads write the file 'x.csv'",
        ),
        (
            {"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1025Mi"}}},
            "spec.resources.requests.memory: the request of 1025Mi exceeds the limit of 1Gi",
        ),
        (
            {"resources": {"limits": {"gpu": "2"}, "requests": {"gpu": "1"}}},
            "spec.resources.requests.gpu: requests.gpu is 1 and limits.gpu is 2; Kubernetes requires equal values",
        ),
        (
            {"model": {"name": "wine", "version": "1", "artifactNameTemplate": "a/{{ .Name }}"}},
            "spec.model.artifactNameTemplate: invalid artifactNameTemplate 'a/{{ .Name }}': "
            "the result 'a/wine' is not a safe file name",
        ),
    ],
)
def test_reports_problem_with_field(tmp_path: Path, spec: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, **spec)
    assert problems(error.value) == [message]


@pytest.mark.parametrize("local_path", ["./data/", "data/..data", "a/../b", ".gitignore", "x y/ü"])
def test_accepts_path_inside_repository(tmp_path: Path, local_path: str) -> None:
    assert plan(tmp_path, **data(local_path)).step("download-wine-data")


def test_directory_and_file_may_share_parent(tmp_path: Path) -> None:
    both = [{"connName": "wine-data", "localPath": p} for p in ("data/", "data/", "data/x.csv")]
    assert len(plan(tmp_path, data=both).steps) == 6


def plan_with_toolchain(directory: Path, **spec: object) -> Plan:
    own = {"kind": "ToolchainIntegration", "id": "own", "spec": spec}
    [planned] = plan_trainings(load_with_problems([write(directory, training(toolchain="own"), own)]), Profile())
    return planned


@pytest.mark.parametrize("entrypoint", ["/usr/bin/", "bin/\ttrain", "least squares", "-x"])
def test_rejects_entrypoint_that_is_neither_name_nor_path(tmp_path: Path, entrypoint: str) -> None:
    with pytest.raises(UserError) as error:
        plan_with_toolchain(tmp_path, entrypoint=entrypoint)
    assert problems(error.value) == [
        f"spec.toolchain: the entrypoint {entrypoint!r} of toolchain 'own' is neither the name of a toolchain"
        " nor the path of a program"
    ]


@pytest.mark.parametrize(
    ("entrypoint", "trainer"),
    [
        ("mlflow", "mlflow"),
        ("mlflow-project", "mlflow-project"),
        ("/opt/conda/bin/odahu-flow-mlflow-runner", "mlflow"),
        ("/opt/conda/bin/odahu-flow-mlflow-project-runner", "mlflow-project"),
        ("least-squares", "least-squares"),
        ("/usr/local/bin/training-data-helper", "/usr/local/bin/training-data-helper"),
    ],
)
def test_entrypoint_selects_trainer(tmp_path: Path, entrypoint: str, trainer: str) -> None:
    planned = plan_with_toolchain(tmp_path, entrypoint=entrypoint)
    train, package = planned.step("train").spec, planned.step("package").spec
    assert isinstance(train, TrainSpec)
    assert isinstance(package, PackageSpec)
    assert (train.trainer, package.trainer) == (trainer, trainer)


@pytest.mark.parametrize(
    ("entrypoint", "package"), [("mlflow-project", Profile().runner_image), ("least-squares", "registry/squares:1")]
)
def test_custom_toolchain_packages_in_its_image(tmp_path: Path, entrypoint: str, package: str) -> None:
    planned = plan_with_toolchain(tmp_path, entrypoint=entrypoint, defaultImage="registry/squares:1")
    assert [planned.step(name).image for name in ("train", "package")] == ["registry/squares:1", package]


def test_reports_unknown_toolchain_with_type_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan_trainings(load_with_problems([write(tmp_path, training(toolchain="mlfow", data="none"))]), Profile())
    assert problems(error.value) == [
        "spec.toolchain: unknown toolchain 'mlfow'",
        "spec.data: must be a list, not text",
    ]


def test_reports_problems_of_several_fields(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, workDir="/x", **data("../x"))
    assert len(problems(error.value)) == 2


def test_reports_documents_references_and_rules_together(tmp_path: Path) -> None:
    unreadable = {**training(), "id": "Unreadable"}
    lost = {**training(vcsName="lost"), "id": "lost"}
    outside = {**training(workDir="/x"), "id": "outside"}
    broken_connection = {"kind": "Connection", "id": "broken", "spec": {"type": "s4", "uri": "s3://x"}}
    uses_it = {**training(data=[{"connName": "broken", "localPath": "x"}]), "id": "uses-it"}
    file = write(tmp_path, unreadable, lost, outside, broken_connection, uses_it)
    with pytest.raises(UserError) as error:
        plan_trainings(load_with_problems([file]), Profile())
    assert [line.split(":")[0] for line in problems(error.value)] == ["id", "spec.vcsName", "spec.workDir", "spec.type"]


INVALID_SPEC = {
    "model": {"name": "my wine", "version": "1.0"},
    "workdir": "x",
    "workDir": "../x",
    "data": [
        {"connName": "lost", "localPath": "../y"},
        {"connName": "Bad_id", "localPath": "same", "foo": "1"},
        {"connName": "code", "localPath": "same"},
        {"connName": "wine-data"},
    ],
    "envs": [{"name": "A", "value": ["b"]}, {"name": "A"}, {"name": "1A"}],
    "resources": {"limits": {"cpu": "1", "memory": "1GB"}, "requests": {"cpu": "2"}},
    "hyperParameters": ["a"],
    "nodeSelector": {"pool": "big"},
}


def test_reports_every_problem_of_training_once(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError) as error:
        plan_trainings(load_with_problems([write(tmp_path, training(**INVALID_SPEC))]), Profile())
    assert sorted(line.split(":")[0] for line in problems(error.value)) == [
        "spec.data[0].connName",
        "spec.data[0].localPath",
        "spec.data[1].connName",
        "spec.data[2].connName",
        "spec.data[2].localPath",
        "spec.data[3].localPath",
        "spec.envs[0].value",
        "spec.envs[1].name",
        "spec.envs[2].name",
        "spec.hyperParameters",
        "spec.model.name",
        "spec.nodeSelector",
        "spec.resources.limits.memory",
        "spec.resources.requests.cpu",
        "spec.workDir",
        "spec.workdir",
    ]


@given(
    field=st.sampled_from(
        ["model", "toolchain", "vcsName", "algorithmSource", "data", "envs", "resources", "nodeSelector"]
    ),
    value=st.recursive(
        st.none() | st.sampled_from(["", "x", "<x>", "../x"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["name", "version", "connName", "connection", "localPath", "vcs", "limits", "gpu"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    ),
)
def test_problems_never_mention_placeholder_values(field: str, value: object) -> None:
    text = json.dumps({**training(), "spec": {**training()["spec"], field: value}})
    documents = [*parse(text, "t.json"), *parse(CONNECTIONS, "c.yaml")]
    try:
        plan_trainings(parse_documents(documents), Profile())
    except UserError as error:
        assert "standin" not in str(error)
        assert len({problem.location for problem in error.problems}) == len(error.problems)
