"""Checks of fields that ODAHU versions spell differently: the manifest must set each value once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odahu_argo.document import Document
from odahu_argo.errors import Problem
from odahu_argo.manifest.models import ModelTraining, ModelTrainingSpec


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
