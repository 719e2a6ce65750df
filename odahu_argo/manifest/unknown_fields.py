"""Unknown fields in manifests. ODAHU ignored them, so they are warnings, except for likely typos of known fields."""

from __future__ import annotations

import difflib
from copy import deepcopy
from dataclasses import replace

from pydantic import BaseModel, ValidationError

from odahu_argo.document import Document
from odahu_argo.errors import Problem
from odahu_argo.validation import MAX_PROBLEMS, closest, comma_hint, fields_at
from odahu_argo.yaml_values import Path

TYPO_SIMILARITY = 0.8
"""Ratio of `difflib` from which a name counts as a typo. `gpuu` and `timeoutt` are more similar, `purpose` less."""


def ignore_unknown_fields(model: type[BaseModel], document: Document) -> Document:
    """Return the document without unknown fields, with a warning for each. Likely typos stay and are errors.

    Of a document with very many unknown fields, only the first are compared with the known ones and reported.
    """
    try:
        model.model_validate(document.value)
        return document
    except ValidationError as error:
        details = error.errors(include_url=False)
    unknown = [tuple(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"]
    typos = {path for path in unknown[:MAX_PROBLEMS] if _is_typo(model, document, path)}
    ignored = [path for path in unknown if path not in typos]
    value = deepcopy(document.value)
    for path in ignored:
        _remove(value, path)
    warnings = [_warning(model, document, path) for path in ignored[:MAX_PROBLEMS]]
    warnings.sort(key=lambda warning: warning.location.line or 0)
    if len(ignored) > MAX_PROBLEMS:
        warnings.append(Problem(f"and {len(ignored) - MAX_PROBLEMS} more unknown fields", document.location()))
    return replace(document, value=value, warnings=(*document.warnings, *warnings))


def is_similar(name: str, names: list[str]) -> bool:
    """Return whether a name differs from one of `names` by a typo, capital letters, `_` or `-`."""
    return bool(difflib.get_close_matches(_plain(name), [_plain(other) for other in names], 1, TYPO_SIMILARITY))


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _is_typo(model: type[BaseModel], document: Document, path: Path) -> bool:
    return comma_hint(document, path) is not None or is_similar(str(path[-1]), fields_at(model, path[:-1]))


def _warning(model: type[BaseModel], document: Document, path: Path) -> Problem:
    known = closest(str(path[-1]), fields_at(model, path[:-1]))
    hint = f"did you mean {known}?" if known else "remove it"
    return Problem(f"unknown field {path[-1]!r} is ignored", document.location(path), hint)


def _remove(value: object, path: Path) -> None:
    for part in path[:-1]:
        value = value[part]  # type: ignore[index]  # the path comes from this value
    if isinstance(value, dict):
        value.pop(path[-1], None)
