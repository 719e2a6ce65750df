"""Malicious repositories, created with real git: they run no programs and change no files outside the checkout."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec, DownloadSpec
from odahu_argo.errors import OdahuArgoError, UserError
from tests.servers.git import PASSWORD, USERNAME, Origin, commit, git, plain_http
from tests.servers.mlflow_project import SPEC as TRAIN
from tests.servers.step_runner import StepRunner

SPEC = CheckoutSpec(connection="code")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "served" / "outer"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "hello")
    return folder


def with_submodule(repository: Path, url: str, path: str = "inner") -> None:
    """Commit a submodule that `git submodule add` would reject because of its URL."""
    head = git(repository, "rev-parse", "HEAD")
    for name, value in (("path", path), ("url", url)):
        git(repository, "config", "--file", ".gitmodules", f"submodule.inner.{name}", value)
    git(repository, "add", ".gitmodules")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},inner")
    git(repository, "commit", "--quiet", "--message", "a submodule")


def refused(step_runner: StepRunner, repository: Path) -> OdahuArgoError:
    step_runner.connect("code", {"uri": repository.as_uri()})
    with pytest.raises(OdahuArgoError) as error:
        step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") is None
    return error.value


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% {marker}",
        "fd::17/x",
        "-u./payload",
        "--upload-pack=touch {marker}",
        "ssh://-oProxyCommand=touch {marker}/x",
        "https://example.invalid/x\nurl = ext::sh -c touch% {marker}",
        "https://example.invalid/%0atouch {marker}",
        "file:///etc\n-u./x",
    ],
)
def test_submodule_url_runs_no_program(step_runner: StepRunner, repository: Path, tmp_path: Path, url: str) -> None:
    marker = tmp_path / "marker"
    (repository / "payload").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (repository / "payload").chmod(0o755)
    git(repository, "add", "payload")
    with_submodule(repository, url.format(marker=marker))
    output = str(refused(step_runner, repository))
    assert "submodule" in output
    assert "hint: " in output
    assert not marker.exists()


def test_remote_repository_cannot_use_local_submodule(
    step_runner: StepRunner, repository: Path, origin: Origin
) -> None:
    with_submodule(repository, origin.folder.as_uri())
    with plain_http(repository.parent) as address:
        fields = {"uri": f"{address}/outer/.git", "username": USERNAME, "password": PASSWORD}
        step_runner.connect("code", fields)
        with pytest.raises(UserError, match="transport that is not allowed") as error:
            step_runner.run(SPEC)
    assert "submodules may use https, http and ssh" in str(error.value)
    assert not (step_runner.repository / "inner" / "file.txt").exists()


@pytest.mark.parametrize("path", ["../escaped", ".git/hooks", "/tmp/escaped-from-a-test", "-u"])
def test_submodule_path_stays_inside_checkout(
    step_runner: StepRunner, repository: Path, origin: Origin, path: str
) -> None:
    with_submodule(repository, origin.folder.as_uri(), path)
    try:
        step_runner.connect("code", {"uri": repository.as_uri()})
        step_runner.run(SPEC)
    except OdahuArgoError as error:
        assert "submodule" in str(error)
    assert not (step_runner.workspace.root / "escaped").exists()
    assert not Path("/tmp/escaped-from-a-test").exists()
    assert not (step_runner.repository / ".git/hooks/file.txt").exists()


def raw_tree(repository: Path, name: str, content: str, mode: str = "100644") -> None:
    """Commit a tree with a name that git itself would not write."""

    def write(kind: str, data: bytes) -> str:
        command = ["git", "-C", str(repository), "hash-object", "-w", "--literally", "-t", kind, "--stdin"]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()

    blob = write("blob", content.encode())
    tree = write("tree", f"{mode} {name}\0".encode() + bytes.fromhex(blob))
    made = git(repository, "commit-tree", tree, "-m", "harm")
    git(repository, "update-ref", "refs/heads/main", made)


@pytest.mark.parametrize("name", ["../escaped", ".git/hooks/post-checkout", ".git", "a/../../escaped", "/escaped"])
def test_rejects_tree_with_unsafe_names(step_runner: StepRunner, repository: Path, name: str) -> None:
    raw_tree(repository, name, "harm")
    assert "cannot check out the files" in str(refused(step_runner, repository))
    assert not (step_runner.workspace.root / "escaped").exists()
    assert not (step_runner.repository / ".git/hooks/post-checkout").exists()


@pytest.mark.parametrize("name", [".gitmodules", ".gitattributes"])
def test_does_not_follow_links_in_git_settings(
    step_runner: StepRunner, repository: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_text('[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% x\n* filter=x\n')
    raw_tree(repository, name, str(outside), mode="120000")
    step_runner.connect("code", {"uri": repository.as_uri()})
    try:
        step_runner.run(SPEC)
    except OdahuArgoError as error:
        assert "git reported" in str(error)
    assert outside.read_text().startswith("[submodule")


def test_rejects_work_dir_and_local_path_that_are_links_to_outside(
    step_runner: StepRunner, repository: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "MLproject").write_text("name: x\nentry_points: {main: {command: touch ran}}\n")
    (repository / "project").symlink_to(outside)
    (repository / "up").symlink_to("..")
    commit(repository, "links")
    step_runner.connect("code", {"uri": repository.as_uri()})
    step_runner.run(SPEC)
    for folder in ("project", "up", "up/up"):
        with pytest.raises(UserError, match=r"workDir '.*' leaves the repository"):
            step_runner.run(replace(TRAIN, work_dir=folder))
        step_runner.workspace.connections.joinpath("data").mkdir(exist_ok=True)
        for field, value in {"type": "file", "uri": repository.parent.as_uri()}.items():
            (step_runner.workspace.connections / "data" / field).write_text(value)
        with pytest.raises(UserError, match="leaves the repository"):
            step_runner.run(DownloadSpec("data", f"{folder}/", "outer/"))
    assert [path.name for path in outside.iterdir()] == ["MLproject"]
