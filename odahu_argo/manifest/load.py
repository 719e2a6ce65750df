"""Files, folders and standard input to manifests that remember where they were written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.fields import contradictions, older_spelling
from odahu_argo.manifest.models import Connection, Manifest, ModelTraining, ToolchainIntegration
from odahu_argo.manifest.sources import Source, find, parse
from odahu_argo.validation import further, nearest, salvage, validate

T = TypeVar("T", bound=Manifest)


KINDS: dict[str, type[Manifest]] = {
    "ModelTraining": ModelTraining,
    "Connection": Connection,
    "ToolchainIntegration": ToolchainIntegration,
}
OTHER_ODAHU_KINDS = {
    "BatchInferenceJob",
    "BatchInferenceService",
    "InferenceJob",
    "InferenceService",
    "ModelDeployment",
    "ModelPackaging",
    "ModelRoute",
    "PackagingIntegration",
}


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """A manifest and the document it was read from. `told` are the fields of which a problem is known already."""

    manifest: T
    document: Document
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manifests:
    """What was found, in the order given.

    `skipped` are documents of kinds that odahu-argo has no use for, `warnings` what was understood although it is not quite
    right, `problems` what is wrong, and `refused` manifests that are there and cannot be used, by kind and id. `faulty` are
    those trainings among them, as far as they can be read, for what else is wrong with them. `registered` are toolchains
    that live where the trainings shall run; those among the manifests win over them.
    """

    trainings: tuple[Written[ModelTraining], ...] = ()
    connections: tuple[Written[Connection], ...] = ()
    toolchains: tuple[Written[ToolchainIntegration], ...] = ()
    faulty: tuple[Written[ModelTraining], ...] = ()
    skipped: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: Mapping[tuple[str, str], Document] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    registered: tuple[ToolchainIntegration, ...] = ()


def load(sources: Iterable[Path]) -> Manifests:
    """The manifests in files, in folders (every .yaml, .yml and .json below them) and, for `-`, on standard input.

    Raises:
        UserError: with every problem of every document: unreadable file, bad YAML, unknown kind or field, wrong type, an id
            given twice.
    """
    manifests = gather(sources)
    if manifests.problems:
        raise UserError(manifests.problems)
    return manifests


def gather(sources: Iterable[Path]) -> Manifests:
    """The same, with the problems kept beside what could be read, so that they can be told with those found later."""
    problems: list[Problem] = []
    documents: list[Document] = []
    skipped: list[Document] = []
    given = list(find(sources))
    parsed = iter(parse([each.path for each in given if isinstance(each, Source)]))
    for each in given:
        if isinstance(each, Problem):
            problems.append(each)
            continue
        file = next(parsed)
        problems += file.problems
        for found in file.documents:
            is_other = _is_for_others(found) or (each.from_folder and _is_no_manifest(found))
            (skipped if is_other else documents).append(found)
    return read_documents(documents, problems, skipped)


def read_text(text: str, file: str) -> Manifests:
    """The manifests of a file whose text is at hand, problems kept beside them in the same way."""
    try:
        documents = [each for found in document.parse(text, file) for each in found.items()]
    except UserError as error:
        return Manifests(problems=error.problems)
    skipped = [found for found in documents if _is_for_others(found)]
    return read_documents([found for found in documents if found not in skipped], skipped=skipped)


def beside(first: Manifests, other: Manifests) -> Manifests:
    """The first, with the connections and toolchains of the other that it does not hold itself, refused ones included."""
    own = {*map(_key, first.connections), *map(_key, first.toolchains), *first.refused}
    return replace(
        first,
        connections=first.connections + _others(other.connections, own),
        toolchains=first.toolchains + _others(other.toolchains, own),
        refused={key: found for key, found in other.refused.items() if key not in own} | dict(first.refused),
    )


def _others(written: tuple[Written[T], ...], own: set[tuple[str, str]]) -> tuple[Written[T], ...]:
    return tuple(each for each in written if _key(each) not in own)


def _key(written: Written[Any]) -> tuple[str, str]:
    return written.manifest.kind, written.manifest.id


def read_documents(
    documents: Iterable[Document], known_problems: Iterable[Problem] = (), skipped: Iterable[Document] = ()
) -> Manifests:
    """Every document as a manifest; `known_problems` stand before those found here, `skipped` is passed on."""
    problems = list(known_problems)
    written: list[Written[Manifest]] = []
    faulty: list[Written[Manifest]] = []
    refused: dict[tuple[str, str], Document] = {}
    documents = list(documents)
    for found in documents:
        manifest, found_problems = _manifest(found)
        problems += found_problems
        if found_problems and isinstance(found.value, dict):
            refused[_kind(found.value) or "", str(found.value.get("id"))] = found
        if manifest is not None:
            (faulty if found_problems else written).append(manifest)
    problems += _repeated_ids(documents)
    return Manifests(
        trainings=_of_kind(written, ModelTraining),
        connections=_of_kind(written, Connection),
        toolchains=_of_kind(written, ToolchainIntegration),
        faulty=_of_kind(faulty, ModelTraining),
        skipped=tuple(skipped),
        warnings=tuple(warning for each in written for warning in _warnings(each)),
        problems=tuple(problems),
        refused=refused,
    )


def _is_for_others(found: Document) -> bool:
    """Kubernetes objects and ODAHU's kinds beside training, which live in the same folders."""
    if not isinstance(found.value, dict):
        return False
    kind, api_version = found.value.get("kind"), found.value.get("apiVersion")
    if kind in KINDS:
        return False
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return kind in OTHER_ODAHU_KINDS
    has_metadata = "metadata" in found.value or api_version.startswith("kustomize.config.k8s.io/")
    return kind in OTHER_ODAHU_KINDS or has_metadata


def _is_no_manifest(found: Document) -> bool:
    """A project's other files: conda.yaml, a request's JSON and the like."""
    return not isinstance(found.value, dict) or not ({"kind", "spec"} & found.value.keys())


def _manifest(found: Document) -> tuple[Written[Manifest] | None, list[Problem]]:
    """The manifest, of a training with problems what can be read of it, and the problems."""
    kind = _kind(found.value) if isinstance(found.value, dict) else None
    if (problem := _is_no_kind(found, kind)) is not None:
        return None, [problem]
    manifest, problems = validate(KINDS[str(kind)], found)
    aside: set[str] = set()
    if manifest is None and kind == "ModelTraining":
        manifest, aside = salvage(ModelTraining, found)
    if isinstance(manifest, ModelTraining):
        problems += further(contradictions(manifest, found), {older_spelling(field) for field in aside})
    told = {problem.where.field or "" for problem in problems} | aside
    return Written(manifest, found, frozenset(told)) if manifest else None, problems


def _is_no_kind(found: Document, kind: str | None) -> Problem | None:
    """What is wrong with a document of which it cannot be said what it is."""
    known, where = list(KINDS), found.where(("kind",))
    if not isinstance(found.value, dict):
        return Problem("a manifest is a mapping with kind, id and spec", found.where())
    if kind is None:
        return Problem("is missing", where, f"write {', '.join(known[:-1])} or {known[-1]}")
    if kind not in KINDS:
        return Problem(f"{kind!r} is not a kind that odahu-argo knows", where, nearest(kind, known))
    if kind == "ModelTraining" and _is_like_a_connection(found.value):
        message = "is ModelTraining, but the spec is a connection's: it has type and uri, and no model"
        return Problem(message, where, "write kind: Connection")
    return None


def _warnings(written: Written[Manifest]) -> Iterator[Problem]:
    yield from written.document.warnings
    if isinstance(written.manifest, ModelTraining) and written.manifest.spec.args:
        message = "args has no effect: ODAHU-flow never passed it to MLflow"
        yield Problem(message, written.document.where(("spec", "args")), "use hyperParameters")


def _kind(value: dict[str, Any]) -> str | None:
    """The kind that is written, or that only a connection can have: ODAHU's documentation prints connections without one."""
    kind, spec = value.get("kind"), value.get("spec")
    if kind is None and isinstance(spec, dict) and isinstance(spec.get("type"), str):
        return "Connection"
    return kind if isinstance(kind, str) else None


def _is_like_a_connection(value: dict[str, Any]) -> bool:
    """As one of the connections in ODAHU's documentation is."""
    spec = value.get("spec")
    return isinstance(spec, dict) and {"type", "uri"} <= spec.keys() and "model" not in spec


def _repeated_ids(documents: list[Document]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Document] = {}
    for each in documents:
        if not isinstance(each.value, dict) or not isinstance(each.value.get("id"), str):
            continue
        key = (_kind(each.value) or "", each.value["id"])
        if key[0] in KINDS and key in first:
            message = f"the {key[0]} {key[1]!r} is given twice; the other is at {first[key].where()}"
            yield Problem(message, each.where(("id",)), "remove one, or give it another id")
        first.setdefault(key, each)


def _of_kind(written: list[Written[Manifest]], kind: type[T]) -> tuple[Written[T], ...]:
    return tuple(
        Written(each.manifest, each.document, each.told) for each in written if isinstance(each.manifest, kind)
    )
