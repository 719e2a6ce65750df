"""The step `checkout`: references, submodules and Git LFS."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec
from odahu_argo.errors import ServiceFault, UserError
from tests.servers.git import Origin, commit, git
from tests.servers.programs import free_port, require_program
from tests.servers.step_runner import StepRunner

SPEC = CheckoutSpec(connection="code")


def checked_out(step_runner: StepRunner, origin: Origin, reference: str = "", of_connection: str = "") -> str:
    """Run the step and return the commit that git and the result file report."""
    if not (step_runner.workspace.connections / "code").exists():
        step_runner.connect("code", {"uri": origin.folder.as_uri(), "reference": of_connection})
    step_runner.run(CheckoutSpec("code", reference))
    head = git(step_runner.repository, "rev-parse", "HEAD")
    assert step_runner.workspace.read_result("commit-id") == head
    return head


@pytest.mark.parametrize(
    "reference", ["develop", "origin/develop", "refs/heads/develop", "refs/remotes/origin/develop"]
)
def test_checks_out_branch(step_runner: StepRunner, origin: Origin, reference: str) -> None:
    assert checked_out(step_runner, origin, reference) == origin.develop
    assert (step_runner.repository / "file.txt").read_text() == "develop"


@pytest.mark.parametrize("reference", ["v1", "v1-light", "refs/tags/v1", "tags/v1"])
def test_checks_out_tag(step_runner: StepRunner, origin: Origin, reference: str) -> None:
    assert checked_out(step_runner, origin, reference) == origin.first


@pytest.mark.parametrize("reference", ["refs/pull/7/head", "origin/pr/7"])
def test_checks_out_pull_request(step_runner: StepRunner, origin: Origin, reference: str) -> None:
    assert checked_out(step_runner, origin, reference) == origin.pull


@pytest.mark.parametrize("length", [7, 12, 40])
@pytest.mark.parametrize("which", ["first", "develop", "forgotten", "pull"])
def test_checks_out_full_and_abbreviated_commit(
    step_runner: StepRunner, origin: Origin, which: str, length: int
) -> None:
    wanted = getattr(origin, which)
    assert checked_out(step_runner, origin, wanted[:length]) == wanted


def test_reference_of_training_takes_precedence_over_connection(step_runner: StepRunner, origin: Origin) -> None:
    assert checked_out(step_runner, origin, "v1", of_connection="develop") == origin.first


def test_uses_reference_of_connection_by_default(step_runner: StepRunner, origin: Origin) -> None:
    assert checked_out(step_runner, origin, of_connection="develop") == origin.develop


def test_uses_default_branch_without_reference(step_runner: StepRunner, origin: Origin) -> None:
    assert checked_out(step_runner, origin) == origin.main


def test_fetches_without_history(step_runner: StepRunner, origin: Origin) -> None:
    checked_out(step_runner, origin, "develop")
    assert git(step_runner.repository, "rev-list", "--count", "HEAD") == "1"


def test_accepts_path_as_uri(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": str(origin.folder)})
    step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_removes_files_of_earlier_attempt(step_runner: StepRunner, origin: Origin) -> None:
    (step_runner.repository / ".git").mkdir(parents=True)
    (step_runner.repository / "half.txt").write_text("half")
    checked_out(step_runner, origin)
    assert not (step_runner.repository / "half.txt").exists()


def test_failed_checkout_removes_earlier_commit_id(step_runner: StepRunner, origin: Origin) -> None:
    checked_out(step_runner, origin)
    with pytest.raises(UserError):
        step_runner.run(CheckoutSpec("code", "nowhere"))
    assert step_runner.workspace.read_result("commit-id") is None


def test_unknown_reference_lists_similar_names(step_runner: StepRunner, origin: Origin) -> None:
    with pytest.raises(UserError, match="no branch, tag or commit 'devlop'") as raised:
        checked_out(step_runner, origin, "devlop")
    assert "develop" in str(raised.value)


@pytest.mark.parametrize("reference", ["0123456789abcdef0123456789abcdef01234567", "0123456"])
def test_unknown_commit_is_user_error(step_runner: StepRunner, origin: Origin, reference: str) -> None:
    with pytest.raises(UserError, match="no branch, tag or commit"):
        checked_out(step_runner, origin, reference)


@pytest.mark.parametrize("reference", ["--upload-pack=touch x", "main\nx", "a..b", "main~1", "v1^{tree}", "main:x"])
def test_rejects_invalid_reference(step_runner: StepRunner, origin: Origin, reference: str) -> None:
    with pytest.raises(UserError, match="is not a git reference"):
        checked_out(step_runner, origin, reference)


@pytest.mark.parametrize(
    "uri",
    [
        "ext::sh -c touch% x",
        "--upload-pack=x",
        "ssh://-oProxyCommand=x/y",
        "git://host/x",
        "fd::17",
        "https:///x",
        "",
        "x:-y",
    ],
)
def test_rejects_unsafe_or_malformed_uri(step_runner: StepRunner, uri: str) -> None:
    step_runner.connect("code", {"uri": uri})
    with pytest.raises(UserError):
        step_runner.run(SPEC)


def test_missing_local_repository_is_user_error(step_runner: StepRunner, tmp_path: Path) -> None:
    step_runner.connect("code", {"uri": f"file://{tmp_path}/nothing"})
    with pytest.raises(UserError, match="the repository does not exist"):
        step_runner.run(SPEC)


def test_empty_repository_is_user_error(step_runner: StepRunner, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    step_runner.connect("code", {"uri": f"file://{tmp_path}/empty.git"})
    with pytest.raises(UserError, match="it may be empty"):
        step_runner.run(SPEC)


@pytest.mark.parametrize("uri", ["https://localhost:{port}/x", "ssh://git@127.0.0.1:{port}/x"])
def test_unreachable_server_is_service_fault(step_runner: StepRunner, uri: str) -> None:
    step_runner.connect("code", {"uri": uri.format(port=free_port())})
    with pytest.raises(ServiceFault, match="cannot reach"):
        step_runner.run(SPEC)


def test_does_not_run_configured_hooks(step_runner: StepRunner, origin: Origin, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (tmp_path / "home" / ".gitconfig").write_text(f"[core]\nhooksPath = {hook.parent}\n")
    checked_out(step_runner, origin)
    assert not (tmp_path / "ran").exists()


def test_fetches_submodules(step_runner: StepRunner, origin: Origin, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", origin.folder.as_uri(), "parts/inner")
    commit(outer, "outer")
    step_runner.connect("code", {"uri": outer.as_uri()})
    step_runner.run(SPEC)
    assert (step_runner.repository / "parts/inner/file.txt").read_text() == "main"


def test_submodule_with_unpushed_commit_is_user_error(step_runner: StepRunner, origin: Origin, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", origin.folder.as_uri(), "inner")
    commit(outer / "inner", "only here")
    commit(outer, "outer")
    step_runner.connect("code", {"uri": outer.as_uri()})
    with pytest.raises(UserError, match="never pushed"):
        step_runner.run(SPEC)


def repository_in_lfs(folder: Path) -> Path:
    require_program("git-lfs")
    work, bare = folder / "lfs-work", folder / "lfs.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git(folder, "clone", "--quiet", str(bare), str(work))
    git(work, "checkout", "--quiet", "-b", "main")
    git(work, "lfs", "install", "--local")
    git(work, "lfs", "track", "*.bin")
    commit(work, "large content", "large.bin")
    git(work, "push", "--quiet", "origin", "main")
    return bare


def test_fetches_lfs_files(step_runner: StepRunner, tmp_path: Path) -> None:
    step_runner.connect("code", {"uri": repository_in_lfs(tmp_path).as_uri()})
    step_runner.run(SPEC)
    assert (step_runner.repository / "large.bin").read_text() == "large content"


def test_lfs_files_without_git_lfs_are_user_error(
    step_runner: StepRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_runner.connect("code", {"uri": repository_in_lfs(tmp_path).as_uri()})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(UserError, match="git-lfs is not installed"):
        step_runner.run(SPEC)


def test_logs_commit_with_date_and_subject(
    step_runner: StepRunner, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    checked_out(step_runner, origin, "develop")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"checkout: {origin.develop} 20")
    assert last.endswith(" develop")
