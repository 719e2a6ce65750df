"""One thing said twice, or not at all: what the fields of ODAHU's older and newer versions can contradict each other in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odahu_argo.document import Document
from odahu_argo.errors import Problem
from odahu_argo.manifest.models import ModelTraining, ModelTrainingSpec


def contradictions(training: ModelTraining, document: Document) -> Iterator[Problem]:
    """A problem for each thing that is said in two spellings, or in none."""
    yield from _code(training.spec, document)
    for index, binding in enumerate(training.spec.data):
        where = document.where(("spec", "data", index, "connName"))
        if binding.conn_name and binding.connection:
            yield Problem("connName and connection both name the connection", where, "keep one of them")
        elif not binding.source:
            yield Problem("is missing", where, "name the connection by connName, or by connection as ODAHU 1.5 does")
    if training.spec.timezone and not training.spec.schedules:
        where = document.where(("spec", "timezone"))
        yield Problem("timezone has no effect without schedules", where, "give schedules, or leave timezone out")


def older_spelling(field: str) -> str:
    """The field of ODAHU up to 1.4 that says what this one says since; any other field itself."""
    if field.startswith("spec.algorithmSource"):
        return "spec.vcsName"
    return re.sub(r"^(spec\.data\[\d+\])\.connection$", r"\1.connName", field)


def _code(spec: ModelTrainingSpec, document: Document) -> Iterator[Problem]:
    source = spec.algorithm_source
    old, new = document.where(("spec", "vcsName")), document.where(("spec", "algorithmSource"))
    if spec.vcs_name and (source.vcs.connection or source.object_storage.connection):
        yield Problem("algorithmSource and vcsName both say where the code is", new, "keep one of them")
    elif source.vcs.connection and source.object_storage.connection:
        message = "algorithmSource.vcs and algorithmSource.objectStorage both say where the code is"
        yield Problem(message, new, "keep one of them")
    elif not spec.code.connection:
        hint = (
            "name the git connection, or write algorithmSource.vcs or algorithmSource.objectStorage as ODAHU 1.5 does"
        )
        yield Problem("is missing", old, hint)
    elif spec.reference and not spec.vcs_name:
        message = "reference belongs to vcsName; with algorithmSource it is algorithmSource.vcs.reference"
        yield Problem(message, document.where(("spec", "reference")), "move it there")
