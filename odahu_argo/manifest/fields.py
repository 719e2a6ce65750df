"""Fields of manifests that versions of ODAHU spell differently, and fields that no version has.

A manifest must set each value once. ODAHU ignored unknown fields, so they are warnings, except for likely typos.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

from pydantic import BaseModel, ValidationError

from odahu_argo.document import Document
from odahu_argo.errors import Problem
from odahu_argo.manifest.models import ModelTraining, ModelTrainingSpec
from odahu_argo.validation import MAX_PROBLEMS, closest, comma_hint, fields_at
from odahu_argo.yaml_values import Path

TYPO_SIMILARITY = 0.8
"""Ratio of `difflib` from which a name counts as a typo. `gpuu` and `timeoutt` are more similar, `purpose` less."""


def check_spellings(training: ModelTraining, document: Document) -> Iterator[Problem]:
    """Yield a problem for each value that is set in two spellings, and for data without a connection.

    A training without a source of its code is valid: it can run in place on this machine (`plan.rules` checks the others).
    """
    yield from _check_code(training.spec, document)
    for index, binding in enumerate(training.spec.data):
        location = document.location(("spec", "data", index, "connName"))
        if binding.conn_name and binding.connection:
            yield Problem("connName and connection are both set", location, "keep one of them")
        elif not binding.source:
            yield Problem("required field is missing", location, "set connName, or connection as in ODAHU 1.5")
    if training.spec.timezone and not training.spec.schedules:
        location = document.location(("spec", "timezone"))
        yield Problem("timezone has no effect without schedules", location, "set schedules, or remove timezone")


def _check_code(spec: ModelTrainingSpec, document: Document) -> Iterator[Problem]:
    source = spec.algorithm_source
    algorithm_source = document.location(("spec", "algorithmSource"))
    if spec.vcs_name and (source.vcs.connection or source.object_storage.connection):
        yield Problem("algorithmSource and vcsName are both set", algorithm_source, "keep one of them")
    elif source.vcs.connection and source.object_storage.connection:
        message = "algorithmSource.vcs and algorithmSource.objectStorage are both set"
        yield Problem(message, algorithm_source, "keep one of them")
    elif spec.code.connection and spec.reference and not spec.vcs_name:
        message = "reference has no effect with algorithmSource"
        hint = "set algorithmSource.vcs.reference instead"
        yield Problem(message, document.location(("spec", "reference")), hint)


def legacy_field(field: str) -> str:
    """Return the name of a field up to ODAHU 1.4; the field itself if its name has not changed."""
    if field.startswith("spec.algorithmSource"):
        return "spec.vcsName"
    return re.sub(r"^(spec\.data\[\d+\])\.connection$", r"\1.connName", field)


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
