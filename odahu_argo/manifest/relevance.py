"""Which problems of manifests concern the selected trainings. The others are warnings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from odahu_argo.errors import Problem
from odahu_argo.manifest.load import KINDS, Manifests
from odahu_argo.naming import ID_PATTERN

Key = tuple[str, str]
"""Kind and ID of a manifest."""


def relevant_problems(
    manifests: Manifests, used: Collection[Key], training_id: str | None, is_resolved: bool
) -> list[Problem]:
    """Return the problems of the used manifests, and problems that may concern them. Without an ID, every training is used.

    A file that does not exist is always a problem. A file that cannot be parsed and a manifest without a valid kind or ID may
    contain anything, for example another training if all are selected. They are irrelevant if a training was selected by
    its ID and everything that it uses was found, which `is_resolved` states.
    """
    by_key = manifests.problems_by_key
    if training_id is not None and is_resolved and not any(key in by_key for key in used):
        return list(manifests.source_problems)
    unused = {
        problem
        for key, own in by_key.items()
        if key not in used and _is_distinct(key) and (training_id is not None or key[0] != "ModelTraining")
        for problem in own
    }
    return [problem for problem in manifests.problems if problem not in unused]


def may_contain(manifests: Manifests, training_id: str | None) -> bool:
    """Return whether a manifest with problems may be the training with this ID, or any training."""
    if training_id is None:
        return bool(manifests.problems)
    used = [("ModelTraining", training_id)]
    return bool(relevant_problems(manifests, used, training_id, is_resolved=False))


def unused_problems(manifests: Manifests) -> list[Problem]:
    """Return a warning for each manifest or file with problems, once no problem has turned out to be relevant."""
    attributed = {problem for own in manifests.problems_by_key.values() for problem in own}
    others = [_as_warning("", (problem,)) for problem in manifests.problems if problem not in attributed]
    return [_as_warning(kind, own) for (kind, _), own in manifests.problems_by_key.items()] + others


def _as_warning(kind: str, problems: tuple[Problem, ...]) -> Problem:
    first, *more = problems
    count = f" ({len(more)} more in this manifest)" if more else ""
    reason = "it is not selected" if kind == "ModelTraining" else "no selected training uses it"
    return replace(first, message=f"{first.message}{count}", hint=f"ignored, because {reason}")


def _is_distinct(key: Key) -> bool:
    """Return whether a manifest with this kind and ID is certainly not another one."""
    kind, name = key
    return kind in KINDS and bool(ID_PATTERN.fullmatch(name))
