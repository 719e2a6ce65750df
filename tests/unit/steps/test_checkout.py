"""What a user gets in the repository folder for a reference, and what is said when it cannot be had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec
from odahu_argo.errors import ServiceFault, UserError
from tests.servers.git import Origin, commit, git
from tests.servers.programs import free_port, require_program
from tests.servers.workplace import Workplace

SPEC = CheckoutSpec(connection="code")


def checked_out(workplace: Workplace, origin: Origin, reference: str = "", of_connection: str = "") -> str:
    """The commit that is in the folder, seen by git and by the result file alike."""
    if not (workplace.workspace.connections / "code").exists():
        workplace.connect("code", {"uri": origin.folder.as_uri(), "reference": of_connection})
    workplace.run(CheckoutSpec("code", reference))
    head = git(workplace.repository, "rev-parse", "HEAD")
    assert workplace.workspace.read_result("commit-id") == head
    return head


@pytest.mark.parametrize(
    "reference", ["develop", "origin/develop", "refs/heads/develop", "refs/remotes/origin/develop"]
)
def test_a_branch_is_checked_out(workplace: Workplace, origin: Origin, reference: str) -> None:
    assert checked_out(workplace, origin, reference) == origin.develop
    assert (workplace.repository / "file.txt").read_text() == "develop"


@pytest.mark.parametrize("reference", ["v1", "v1-light", "refs/tags/v1", "tags/v1"])
def test_a_tag_is_checked_out(workplace: Workplace, origin: Origin, reference: str) -> None:
    assert checked_out(workplace, origin, reference) == origin.first


@pytest.mark.parametrize("reference", ["refs/pull/7/head", "origin/pr/7"])
def test_a_pull_request_is_checked_out(workplace: Workplace, origin: Origin, reference: str) -> None:
    assert checked_out(workplace, origin, reference) == origin.pull


@pytest.mark.parametrize("length", [7, 12, 40])
@pytest.mark.parametrize("which", ["first", "develop", "forgotten", "pull"])
def test_a_commit_is_checked_out_by_its_id_or_the_beginning_of_it(
    workplace: Workplace, origin: Origin, which: str, length: int
) -> None:
    wanted = getattr(origin, which)
    assert checked_out(workplace, origin, wanted[:length]) == wanted


def test_the_reference_of_the_training_goes_before_the_one_of_the_connection(
    workplace: Workplace, origin: Origin
) -> None:
    assert checked_out(workplace, origin, "v1", of_connection="develop") == origin.first


def test_without_a_reference_of_the_training_the_one_of_the_connection_counts(
    workplace: Workplace, origin: Origin
) -> None:
    assert checked_out(workplace, origin, of_connection="develop") == origin.develop


def test_without_any_reference_the_default_branch_is_checked_out(workplace: Workplace, origin: Origin) -> None:
    assert checked_out(workplace, origin) == origin.main


def test_the_history_is_left_out_where_the_server_can_do_so(workplace: Workplace, origin: Origin) -> None:
    checked_out(workplace, origin, "develop")
    assert git(workplace.repository, "rev-list", "--count", "HEAD") == "1"


def test_a_plain_path_is_an_address_too(workplace: Workplace, origin: Origin) -> None:
    workplace.connect("code", {"uri": str(origin.folder)})
    workplace.run(SPEC)
    assert workplace.workspace.read_result("commit-id") == origin.main


def test_what_an_earlier_attempt_left_is_removed(workplace: Workplace, origin: Origin) -> None:
    (workplace.repository / ".git").mkdir(parents=True)
    (workplace.repository / "half.txt").write_text("half")
    checked_out(workplace, origin)
    assert not (workplace.repository / "half.txt").exists()


def test_a_failed_checkout_leaves_no_commit_id_of_an_earlier_one(workplace: Workplace, origin: Origin) -> None:
    checked_out(workplace, origin)
    with pytest.raises(UserError):
        workplace.run(CheckoutSpec("code", "nowhere"))
    assert workplace.workspace.read_result("commit-id") is None


def test_an_unknown_reference_is_told_with_the_nearest_names(workplace: Workplace, origin: Origin) -> None:
    with pytest.raises(UserError, match="no branch, tag or commit 'devlop'") as raised:
        checked_out(workplace, origin, "devlop")
    assert "develop" in str(raised.value)


@pytest.mark.parametrize("reference", ["0123456789abcdef0123456789abcdef01234567", "0123456"])
def test_an_unknown_commit_is_the_users_mistake(workplace: Workplace, origin: Origin, reference: str) -> None:
    with pytest.raises(UserError, match="no branch, tag or commit"):
        checked_out(workplace, origin, reference)


@pytest.mark.parametrize("reference", ["--upload-pack=touch x", "main\nx", "a..b", "main~1", "v1^{tree}", "main:x"])
def test_what_is_no_reference_never_reaches_git(workplace: Workplace, origin: Origin, reference: str) -> None:
    with pytest.raises(UserError, match="is not a git reference"):
        checked_out(workplace, origin, reference)


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
def test_an_address_that_could_run_programs_is_refused(workplace: Workplace, uri: str) -> None:
    workplace.connect("code", {"uri": uri})
    with pytest.raises(UserError):
        workplace.run(SPEC)


def test_a_repository_that_is_not_there_is_the_users_mistake(workplace: Workplace, tmp_path: Path) -> None:
    workplace.connect("code", {"uri": f"file://{tmp_path}/nothing"})
    with pytest.raises(UserError, match="the repository does not exist"):
        workplace.run(SPEC)


def test_an_empty_repository_is_the_users_mistake(workplace: Workplace, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    workplace.connect("code", {"uri": f"file://{tmp_path}/empty.git"})
    with pytest.raises(UserError, match="it may be empty"):
        workplace.run(SPEC)


@pytest.mark.parametrize("uri", ["https://localhost:{port}/x", "ssh://git@127.0.0.1:{port}/x"])
def test_a_server_that_cannot_be_reached_is_worth_another_try(workplace: Workplace, uri: str) -> None:
    workplace.connect("code", {"uri": uri.format(port=free_port())})
    with pytest.raises(ServiceFault, match="cannot reach"):
        workplace.run(SPEC)


def test_the_users_own_hooks_are_not_run(workplace: Workplace, origin: Origin, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (tmp_path / "home" / ".gitconfig").write_text(f"[core]\nhooksPath = {hook.parent}\n")
    checked_out(workplace, origin)
    assert not (tmp_path / "ran").exists()


def test_submodules_come_along(workplace: Workplace, origin: Origin, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", origin.folder.as_uri(), "parts/inner")
    commit(outer, "outer")
    workplace.connect("code", {"uri": outer.as_uri()})
    workplace.run(SPEC)
    assert (workplace.repository / "parts/inner/file.txt").read_text() == "main"


def test_a_submodule_whose_commit_was_never_pushed_is_the_users_mistake(
    workplace: Workplace, origin: Origin, tmp_path: Path
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", origin.folder.as_uri(), "inner")
    commit(outer / "inner", "only here")
    commit(outer, "outer")
    workplace.connect("code", {"uri": outer.as_uri()})
    with pytest.raises(UserError, match="never pushed"):
        workplace.run(SPEC)


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


def test_files_in_git_lfs_come_with_their_content(workplace: Workplace, tmp_path: Path) -> None:
    workplace.connect("code", {"uri": repository_in_lfs(tmp_path).as_uri()})
    workplace.run(SPEC)
    assert (workplace.repository / "large.bin").read_text() == "large content"


def test_files_in_git_lfs_are_told_where_git_lfs_is_missing(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.connect("code", {"uri": repository_in_lfs(tmp_path).as_uri()})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(UserError, match="git-lfs is not installed"):
        workplace.run(SPEC)


def test_the_log_names_the_commit_its_date_and_subject(
    workplace: Workplace, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    checked_out(workplace, origin, "develop")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"checkout: {origin.develop} 20")
    assert last.endswith(" develop")
