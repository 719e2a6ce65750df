"""Which ref of a remote a user's reference means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from odahu_argo.errors import UserError
from odahu_argo.uri import is_reference

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_PULL = re.compile(r"origin/pr/(?P<number>\d+)(?:/(?P<kind>head|merge))?")
_SHORTEST_FULL_ID = 40


@dataclass(frozen=True, slots=True)
class Target:
    """What to fetch: a full ref, or (where no ref is named so) a commit by its id, perhaps abbreviated."""

    ref: str = ""
    commit: str = ""

    @property
    def is_full_commit(self) -> bool:
        """Whether a server can be asked for the commit by itself."""
        return len(self.commit) >= _SHORTEST_FULL_ID


def check_reference(reference: str) -> str:
    """The reference without white space around it.

    Raises:
        UserError: it begins with `-` or holds characters that no git reference may have.
    """
    reference = reference.strip()
    if not is_reference(reference):
        raise UserError(
            f"{reference!r} is no git reference",
            hint="name a branch, a tag, a commit id or a full ref such as refs/heads/main",
        )
    return reference


def resolve(reference: str, refs: Mapping[str, str]) -> Target:
    """The target among the remote's refs; an empty reference means the remote's HEAD.

    Raises:
        UserError: no ref has this name and it cannot be a commit id; the nearest names are listed.
    """
    for candidate in _candidates(reference):
        if candidate in refs:
            return Target(ref=candidate)
    if _COMMIT.fullmatch(reference):
        return _commit(reference.lower(), refs)
    raise unknown(reference, refs)


def unknown(reference: str, refs: Mapping[str, str]) -> UserError:
    """The error for a reference that the remote does not have."""
    if not reference:
        return UserError(
            "the repository has no default branch, perhaps it is empty", hint="push a commit, or name a branch"
        )
    names = [
        ref.split("/", 2)[2]
        for ref in refs
        if ref.startswith(("refs/heads/", "refs/tags/")) and not ref.endswith("^{}")
    ]
    wanted = re.sub(r"^(refs/(heads|tags)/|origin/)", "", reference)
    near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.5) or sorted(names)[:10]
    listed = ", ".join(dict.fromkeys(near)) or "none"
    return UserError(
        f"the repository has no branch, tag or commit {reference!r}",
        hint=f"nearest branches and tags: {listed}",
    )


def _candidates(reference: str) -> list[str]:
    """The full refs it may mean, a branch before a tag of the same name."""
    if reference in ("", "HEAD"):
        return ["HEAD"]
    candidates = [f"refs/heads/{reference}", f"refs/tags/{reference}", f"refs/{reference}"]
    if reference.startswith("refs/"):
        candidates = [reference]
    if pull := _PULL.fullmatch(reference):
        candidates.append(f"refs/pull/{pull['number']}/{pull['kind'] or 'head'}")
    for remote in ("origin/", "refs/remotes/origin/"):
        if reference.startswith(remote):
            branch = reference.removeprefix(remote)
            candidates.append("HEAD" if branch == "HEAD" else f"refs/heads/{branch}")
    return candidates


def _commit(commit: str, refs: Mapping[str, str]) -> Target:
    """A ref that stands exactly there can be fetched from any server, so it is preferred to the bare id."""
    at = {ref.removesuffix("^{}") for ref, tip in refs.items() if tip.startswith(commit)}
    tips = {tip for tip in refs.values() if tip.startswith(commit)}
    if at and len(tips) == 1:
        return Target(ref=min(at), commit=commit)
    return Target(commit=commit)
