"""Git references: which branch, tag, pull request or commit of a remote a user's reference means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from odahu_argo.errors import UserError
from odahu_argo.uri import is_reference

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_PULL_REQUEST = re.compile(r"origin/pr/(?P<number>\d+)(?:/(?P<kind>head|merge))?")
_FULL_COMMIT_LENGTH = 40


@dataclass(frozen=True, slots=True)
class FetchTarget:
    """What to fetch: a full ref, or else a commit ID, which may be abbreviated."""

    ref: str = ""
    commit: str = ""

    @property
    def is_full_commit(self) -> bool:
        """Whether `commit` is not abbreviated, so that a server may send it without the history."""
        return len(self.commit) >= _FULL_COMMIT_LENGTH


def check_reference(reference: str) -> str:
    """Return the reference without surrounding white space.

    Raises:
        UserError: It starts with `-` or is not a valid git reference.
    """
    reference = reference.strip()
    if not is_reference(reference):
        raise UserError(
            f"{reference!r} is not a git reference",
            hint="use a branch, a tag, a commit ID or a full ref such as refs/heads/main",
        )
    return reference


def resolve_reference(reference: str, refs: Mapping[str, str]) -> FetchTarget:
    """Find the target among the remote's refs, a mapping of ref to commit. An empty reference means HEAD.

    Raises:
        UserError: No ref has this name and it cannot be a commit ID; the hint lists similar names.
    """
    for candidate in _candidate_refs(reference):
        if candidate in refs:
            return FetchTarget(ref=candidate)
    if _COMMIT.fullmatch(reference):
        return _commit_target(reference.lower(), refs)
    raise unknown_reference(reference, refs)


def unknown_reference(reference: str, refs: Mapping[str, str]) -> UserError:
    """Return the error for a reference that the remote does not have."""
    if not reference:
        return UserError(
            "the repository has no default branch; it may be empty", hint="push a commit, or set a reference"
        )
    names = [
        ref.split("/", 2)[2]
        for ref in refs
        if ref.startswith(("refs/heads/", "refs/tags/")) and not ref.endswith("^{}")
    ]
    short_name = re.sub(r"^(refs/(heads|tags)/|origin/)", "", reference)
    similar = difflib.get_close_matches(short_name, names, n=5, cutoff=0.5) or sorted(names)[:10]
    listed = ", ".join(dict.fromkeys(similar)) or "none"
    return UserError(
        f"the repository has no branch, tag or commit {reference!r}",
        hint=f"similar branches and tags: {listed}",
    )


def _candidate_refs(reference: str) -> list[str]:
    """Return the full refs that a reference may mean. A branch precedes a tag of the same name."""
    if reference in ("", "HEAD"):
        return ["HEAD"]
    candidates = [f"refs/heads/{reference}", f"refs/tags/{reference}", f"refs/{reference}"]
    if reference.startswith("refs/"):
        candidates = [reference]
    if pull_request := _PULL_REQUEST.fullmatch(reference):
        candidates.append(f"refs/pull/{pull_request['number']}/{pull_request['kind'] or 'head'}")
    for remote in ("origin/", "refs/remotes/origin/"):
        if reference.startswith(remote):
            branch = reference.removeprefix(remote)
            candidates.append("HEAD" if branch == "HEAD" else f"refs/heads/{branch}")
    return candidates


def _commit_target(commit: str, refs: Mapping[str, str]) -> FetchTarget:
    """Prefer a ref at this commit, which every server sends, to the commit ID."""
    matching = {ref.removesuffix("^{}") for ref, tip in refs.items() if tip.startswith(commit)}
    tips = {tip for tip in refs.values() if tip.startswith(commit)}
    if matching and len(tips) == 1:
        return FetchTarget(ref=min(matching), commit=commit)
    return FetchTarget(commit=commit)
