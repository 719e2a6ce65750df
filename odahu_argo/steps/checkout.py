"""The step `checkout`: the training's source from git into the repository folder."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from odahu_argo.contract import COMMIT_ID, CheckoutSpec, Workspace
from odahu_argo.errors import UserError
from odahu_argo.steps.connection import read_connection
from odahu_argo.steps.git import Git, shallow_refused
from odahu_argo.steps.git_access import git_access
from odahu_argo.steps.git_reference import Target, check_reference, resolve, unknown
from odahu_argo.steps.git_uri import parse_git_uri
from odahu_argo.steps.log import log
from odahu_argo.storage.disk import disk_errors
from odahu_argo.uri import without_credentials

_say = partial(log, "checkout")


def run(spec: CheckoutSpec, workspace: Workspace) -> None:
    """Leave the reference checked out in the repository folder, with submodules and git-lfs files; record the commit id.

    What an earlier attempt left is removed first.

    Raises:
        UserError: address, reference or credentials are wrong, or git-lfs is needed and missing.
        ServiceFault: the server, the network or the disk failed.
    """
    fields = read_connection(workspace, spec.connection)
    uri = parse_git_uri(fields.get("uri", ""))
    reference = check_reference(spec.reference or fields.get("reference", ""))
    workspace.result_file(COMMIT_ID).unlink(missing_ok=True)
    with disk_errors(workspace.repository):
        _remove(workspace.repository)
        workspace.repository.mkdir(parents=True)

    with git_access(uri, fields) as access:
        git = Git(workspace.repository, access)
        _say(f"asking {without_credentials(uri.address)} for {reference or 'its default branch'}")
        refs = _remote_refs(git, uri.address)
        target = resolve(reference, refs)
        git.run("init", "--quiet", doing="create the repository")
        git.run("remote", "add", "origin", uri.address, doing="create the repository")
        commit = _fetch(git, target) or _commit_in_history(git, target)
        if commit is None:
            raise unknown(reference, refs)
        git.run("checkout", "--quiet", "--detach", commit, doing="check out the files")
        _submodules(git)
        _require_lfs(git)
        _say(git.run("log", "-1", "--format=%H %cI %s", doing="read the commit").strip())
    workspace.write_result(COMMIT_ID, commit)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _remote_refs(git: Git, address: str) -> dict[str, str]:
    done = git.attempt("ls-remote", "--", address)
    if done.returncode != 0:
        raise git.error(f"reach {address}", done)
    if "Permanently added" in done.stderr:
        _say("warning: the server's host key was not known and is trusted as it came; set publicKey of the connection")
    pairs = (line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    refs = {ref: commit for commit, ref in pairs}
    if not refs:
        raise unknown("", refs)
    return refs


def _fetch(git: Git, target: Target) -> str | None:
    """Fetch the target alone, without history where the server can; None when only the whole history can tell."""
    wanted = target.ref or (target.commit if target.is_full_commit else "")
    if not wanted:
        return None
    _say(f"fetching {wanted}")
    done = git.attempt("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "origin", wanted)
    if shallow_refused(done):
        if not target.ref:
            return None
        done = git.attempt("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin", wanted)
    if done.returncode != 0:
        raise git.error(f"fetch {wanted}", done)
    return _commit_id(git, "FETCH_HEAD")


def _commit_in_history(git: Git, target: Target) -> str | None:
    """Fetch everything and look for the commit; None when it is not there or the abbreviation fits several."""
    _say(f"fetching the whole history, to find {target.commit}")
    for refs in ("+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/origin/pr/*"):
        git.run("fetch", "--quiet", "--tags", "--no-recurse-submodules", "origin", refs, doing="fetch the history")
        if commit := _commit_id(git, target.commit):
            return commit
    return None


def _commit_id(git: Git, name: str) -> str | None:
    done = git.attempt("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
    return done.stdout.strip() if done.returncode == 0 else None


def _submodules(git: Git) -> None:
    if not (git.folder / ".gitmodules").is_file():
        return
    _say("fetching submodules")
    update = ("submodule", "update", "--init", "--recursive", "--quiet")
    done = git.attempt(*update, "--depth=1")
    if shallow_refused(done):
        done = git.attempt(*update)
    if done.returncode != 0:
        raise git.error("fetch the submodules", done)


def _require_lfs(git: Git) -> None:
    """With git-lfs here its files came with the checkout; without it there are only pointers in their place."""
    if shutil.which("git-lfs") is not None:
        return
    files = git.run("ls-files", "-z", doing="list the files")
    attributes = git.run("check-attr", "-z", "--stdin", "filter", doing="read .gitattributes", stdin=files).split("\0")
    in_lfs = [name for name, value in zip(attributes[0::3], attributes[2::3], strict=False) if value == "lfs"]
    if in_lfs:
        raise UserError(
            f"{len(in_lfs)} files are kept in git-lfs, such as {in_lfs[0]!r}, and there is no program git-lfs here",
            hint="use an image that has git-lfs",
        )
