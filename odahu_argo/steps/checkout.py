"""The step `checkout`: clone the training's source from git into the repository directory."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from odahu_argo.contract import COMMIT_ID, CheckoutSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.git import Git, is_shallow_rejected
from odahu_argo.steps.git_credentials import git_credentials, parse_git_uri
from odahu_argo.steps.git_reference import FetchTarget, check_reference, resolve_reference, unknown_reference
from odahu_argo.steps.runtime import log
from odahu_argo.storage.disk import disk_errors
from odahu_argo.uri import without_credentials

_log = partial(log, "checkout")


def run(spec: CheckoutSpec, workspace: Workspace) -> None:
    """Check out the reference into the repository directory, with submodules and Git LFS files; record the commit ID.

    Files of an earlier attempt are removed first.

    Raises:
        UserError: The URI, the reference or the credentials are wrong, or Git LFS is required and not installed.
        ServiceFault: The server, the network or the disk failed.
    """
    fields = read_connection(workspace, spec.connection)
    uri = parse_git_uri(fields.get("uri", ""))
    reference = check_reference(spec.reference or fields.get("reference", ""))
    workspace.result_file(COMMIT_ID).unlink(missing_ok=True)
    with disk_errors(workspace.repository):
        _remove(workspace.repository)
        workspace.repository.mkdir(parents=True)

    with git_credentials(uri, fields) as credentials:
        git = Git(workspace.repository, credentials)
        _log(f"looking up {reference or 'the default branch'} in {without_credentials(uri.address)}")
        refs = _list_remote_refs(git, uri.address)
        target = resolve_reference(reference, refs)
        git.run("init", "--quiet", action="create the repository")
        git.run("remote", "add", "origin", uri.address, action="create the repository")
        commit = _fetch_target(git, target) or _find_in_history(git, target)
        if commit is None:
            raise unknown_reference(reference, refs)
        git.run("checkout", "--quiet", "--detach", commit, action="check out the files")
        _fetch_submodules(git)
        _require_lfs(git)
        _log(git.run("log", "-1", "--format=%H %cI %s", action="read the commit").strip())
    workspace.write_result(COMMIT_ID, commit)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _list_remote_refs(git: Git, address: str) -> dict[str, str]:
    completed = git.try_run("ls-remote", "--", address)
    if completed.returncode != 0:
        raise git.error(f"reach {address}", completed)
    if "Permanently added" in completed.stderr:
        _log("warning: the server's host key is unknown and is not verified; set publicKey of the connection")
    pairs = (line.split("\t", 1) for line in completed.stdout.splitlines() if "\t" in line)
    refs = {ref: commit for commit, ref in pairs}
    if not refs:
        raise unknown_reference("", refs)
    return refs


def _fetch_target(git: Git, target: FetchTarget) -> str | None:
    """Fetch the target, without its history if the server allows it; return None if only the whole history has it."""
    wanted = target.ref or (target.commit if target.is_full_commit else "")
    if not wanted:
        return None
    _log(f"fetching {wanted}")
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    completed = git.try_run(*fetch, "--depth=1", "origin", wanted)
    if is_shallow_rejected(completed):
        if not target.ref:
            return None
        completed = git.try_run(*fetch, "origin", wanted)
    if completed.returncode != 0:
        raise git.error(f"fetch {wanted}", completed)
    return _commit_id(git, "FETCH_HEAD")


def _find_in_history(git: Git, target: FetchTarget) -> str | None:
    """Fetch all branches and pull requests and return the commit, or None if it is missing or ambiguous."""
    _log(f"fetching the whole history to find {target.commit}")
    for refs in ("+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/origin/pr/*"):
        git.run("fetch", "--quiet", "--tags", "--no-recurse-submodules", "origin", refs, action="fetch the history")
        if commit := _commit_id(git, target.commit):
            return commit
    return None


def _commit_id(git: Git, revision: str) -> str | None:
    completed = git.try_run("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")
    return completed.stdout.strip() if completed.returncode == 0 else None


def _fetch_submodules(git: Git) -> None:
    if not (git.directory / ".gitmodules").is_file():
        return
    _log("fetching submodules")
    update = ("submodule", "update", "--init", "--recursive", "--quiet")
    completed = git.try_run(*update, "--depth=1")
    if is_shallow_rejected(completed):
        completed = git.try_run(*update)
    if completed.returncode != 0:
        raise git.error("fetch the submodules", completed)


def _require_lfs(git: Git) -> None:
    """Raise an error if the checkout has only the pointers of Git LFS files, because git-lfs is not installed."""
    if shutil.which("git-lfs") is not None:
        return
    files = git.run("ls-files", "-z", action="list the files")
    attributes = git.run("check-attr", "-z", "--stdin", "filter", action="read .gitattributes", stdin=files).split("\0")
    lfs_files = [name for name, value in zip(attributes[0::3], attributes[2::3], strict=False) if value == "lfs"]
    if lfs_files:
        raise UserError(
            f"{len(lfs_files)} files are stored in Git LFS, such as {lfs_files[0]!r}, and git-lfs is not installed",
            hint="use an image with git-lfs",
        )
