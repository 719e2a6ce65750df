"""Plans of local runs: in place or from a clone, and which connections they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import UserError
from odahu_argo.local.planning import LocalPlan, plan_local
from odahu_argo.manifest.load import load_with_problems
from odahu_argo.profile import Profile
from tests.manifests import CONNECTIONS, problems, training, write
from tests.servers.git import git

DATA = [
    {"connName": "wine-data", "localPath": "data/"},
    {"connName": "wine-data", "localPath": "more/file.csv"},
]
BROKEN = CONNECTIONS.replace("s3://wine/data/", "s3://<your bucket>/data/")
OUTPUT = "---\nkind: Connection\nid: models-output\nspec: {type: s3, uri: s3://models/}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with one of two data sets."""
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "data" / "wine.csv").write_text("1")
    return tmp_path / "project"


def planned(project: Path, connections: str = CONNECTIONS, here: bool = True, **spec: Any) -> LocalPlan:
    file = write(project.parent, training(**{"data": DATA, **spec}), connections=connections)
    return plan_local(load_with_problems([file]), Profile(), None, project, here)


def step_names(local: LocalPlan) -> list[str]:
    return [step.name for step in local.plan.steps]


def test_data_that_is_there_is_used_and_other_data_downloaded(project: Path) -> None:
    local = planned(project)
    assert step_names(local) == ["download-wine-data-2", "train", "package"]
    assert [step.needs for step in local.plan.steps] == [(), ("download-wine-data-2",), ("train",)]
    assert (list(local.connections), local.directory, local.warnings) == (["wine-data"], project, ())


def test_warns_of_data_that_cannot_be_downloaded(project: Path) -> None:
    local = planned(project, BROKEN)
    assert step_names(local) == ["train", "package"]
    [warning] = local.warnings
    assert warning.location.field == "spec.data[1].localPath"
    assert warning.message.startswith("'more/file.csv' does not exist in ")


def test_empty_directory_counts_as_missing_data(project: Path) -> None:
    (project / "data" / "wine.csv").unlink()
    assert step_names(planned(project))[0] == "download-wine-data"


def test_training_without_source_is_in_place(project: Path) -> None:
    assert planned(project, here=False, vcsName=None).directory == project
    assert planned(project, here=False).directory is None


def test_run_in_place_uploads_nothing(project: Path) -> None:
    assert "models-output" not in planned(project, CONNECTIONS + OUTPUT).connections
    assert "models-output" in planned(project, CONNECTIONS + OUTPUT, here=False).connections


def test_run_with_source_needs_valid_connections(project: Path) -> None:
    with pytest.raises(UserError) as error:
        planned(project, BROKEN, here=False)
    [problem] = problems(error.value)
    assert "spec.uri: '<your bucket>' is a placeholder" in problem


def test_broken_connection_of_a_working_copy_names_here(project: Path) -> None:
    """The Local Quickstart of ODAHU's documentation has placeholders in its connections."""
    git(project, "init", "--quiet")
    with pytest.raises(UserError) as error:
        planned(project, BROKEN, here=False)
    assert error.value.problems[-1].hint == "add --here to train it in place"


def test_directory_with_the_project_needs_no_git_for_the_hint(project: Path) -> None:
    (project / "models").mkdir(exist_ok=True)
    (project / "models/MLproject").touch()
    with pytest.raises(UserError) as error:
        planned(project, BROKEN, here=False, workDir="models")
    assert error.value.problems[-1].hint == "add --here to train it in place"


def test_output_connection_may_be_missing(project: Path) -> None:
    local = planned(project, here=False, outputConnection="team-models")
    assert step_names(local)[-1] == "package"
    assert "team-models" not in local.connections


def test_missing_work_dir_names_the_root_of_the_repository(project: Path) -> None:
    git(project, "init", "--quiet")
    (project / "models" / "wine").mkdir(parents=True)
    file = write(project.parent, training(workDir="models/wine"))
    with pytest.raises(UserError) as error:
        plan_local(load_with_problems([file]), Profile(), None, project / "models", is_here=True)
    [problem] = error.value.problems
    assert f"'models/wine' does not exist in the current directory {project}/models" in problem.message
    assert problem.hint == f"run the command in the root of the repository: {project}"


@pytest.mark.parametrize(
    "uri",
    ["https://git.example.org/ml/wine.git", "git@git.example.org:ml/wine", "ssh://git@git.example.org:22/ml/wine"],
)
def test_warns_of_uncommitted_changes_of_the_same_repository(project: Path, uri: str) -> None:
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "remote", "add", "origin", "https://ada@git.example.org/ml/wine.git")
    connections = CONNECTIONS.replace("https://git.example.org/ml/code.git", uri)
    [warning] = planned(project, connections, here=False).warnings
    assert "uncommitted changes" in warning.message
    assert warning.hint == "add --here to train the working copy in place"
    assert planned(project, here=False).warnings == ()
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Add data")
    assert planned(project, connections, here=False).warnings == ()


def test_several_trainings_need_an_id(project: Path) -> None:
    other = {**training(vcsName=None), "id": "other"}
    manifests = load_with_problems([write(project.parent, training(), other)])
    with pytest.raises(UserError, match="the manifests contain 2 trainings") as error:
        plan_local(manifests, Profile(), None, project)
    assert error.value.problems[0].hint == "select one with --id: wine, other"
    assert plan_local(manifests, Profile(), "other", project).directory == project
