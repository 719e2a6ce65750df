"""Loading of manifests from files, directories and standard input. Each manifest keeps its source location."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.custom_resources import manifests_in
from odahu_argo.manifest.fields import check_spellings, ignore_unknown_fields, legacy_field
from odahu_argo.manifest.models import Connection, Manifest, ModelTraining, ToolchainIntegration
from odahu_argo.manifest.sources import SourceFile, find_files, parse_files
from odahu_argo.naming import ID_PATTERN, as_id
from odahu_argo.validation import exclude_reported, suggest, validate, validate_partially

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
class LoadedManifest(Generic[T]):
    """A manifest with its document. `reported` lists the fields whose problems are already reported."""

    manifest: T
    document: Document
    reported: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manifests:
    """Loaded manifests in input order.

    `invalid_trainings` contains the readable parts of trainings with problems, so that further checks can run on them.
    `source_problems` are the problems of files and directories that do not exist or cannot be read.
    `invalid` maps the kind and ID of every manifest with problems to its document, and `problems_by_key` to its problems,
    which `problems` contains too. `skipped` contains documents of other kinds, `warnings` tolerated deviations, and
    `registered` the toolchains of the target; toolchains among the manifests take precedence over those. `is_strict` is set
    if warnings are problems; differences to a project's environment file are then errors of the training.
    """

    trainings: tuple[LoadedManifest[ModelTraining], ...] = ()
    connections: tuple[LoadedManifest[Connection], ...] = ()
    toolchains: tuple[LoadedManifest[ToolchainIntegration], ...] = ()
    invalid_trainings: tuple[LoadedManifest[ModelTraining], ...] = ()
    skipped: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    source_problems: tuple[Problem, ...] = ()
    invalid: Mapping[tuple[str, str], Document] = field(default_factory=dict)
    problems_by_key: Mapping[tuple[str, str], tuple[Problem, ...]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    registered: tuple[ToolchainIntegration, ...] = ()
    is_strict: bool = False


def load(sources: Iterable[Path]) -> Manifests:
    """Load manifests from files, from directories (every .yaml, .yml and .json file below them) and, for `-`, stdin.

    Raises:
        UserError: all problems of all documents at once: unreadable files, invalid YAML, unknown kinds or fields, wrong
            types, duplicate IDs.
    """
    manifests = load_with_problems(sources)
    if manifests.problems:
        raise UserError(manifests.problems)
    return manifests


def load_with_problems(sources: Iterable[Path], any_id: bool = False) -> Manifests:
    """Load manifests like `load`, but return the problems so that later checks can report theirs together with them.

    With `any_id`, a training whose ID is not a Kubernetes name gets a similar one that is, with a warning.
    """
    problems: list[Problem] = []
    source_problems: list[Problem] = []
    documents: list[Document] = []
    skipped: list[Document] = []
    files = list(find_files(sources))
    parsed_files = iter(parse_files([file.path for file in files if isinstance(file, SourceFile)]))
    for file in files:
        if isinstance(file, Problem):
            problems.append(file)
            source_problems.append(file)
            continue
        parsed = next(parsed_files)
        problems += parsed.problems
        for item in (item for parsed_document in parsed.documents for item in manifests_in(parsed_document, KINDS)):
            is_other = _is_other_kind(item) or (file.from_directory and _is_no_manifest(item))
            (skipped if is_other else documents).append(_with_valid_id(item) if any_id else item)
    return replace(parse_documents(documents, problems, skipped), source_problems=tuple(source_problems))


def load_text(text: str, file: str) -> Manifests:
    """Load manifests from the text of a file, like `load_with_problems`."""
    try:
        documents = [item for parsed in document.parse(text, file) for item in manifests_in(parsed, KINDS)]
    except UserError as error:
        return Manifests(problems=error.problems)
    skipped = [item for item in documents if _is_other_kind(item)]
    return parse_documents([item for item in documents if item not in skipped], skipped=skipped)


def parse_documents(
    documents: Iterable[Document], earlier_problems: Iterable[Problem] = (), skipped: Iterable[Document] = ()
) -> Manifests:
    """Parse documents as manifests. The result starts with `earlier_problems` and contains `skipped` unchanged."""
    problems = list(earlier_problems)
    valid: list[LoadedManifest[Manifest]] = []
    invalid_trainings: list[LoadedManifest[Manifest]] = []
    invalid: dict[tuple[str, str], Document] = {}
    by_key: dict[tuple[str, str], tuple[Problem, ...]] = {}
    documents = list(_without_copies(documents))
    for item in documents:
        manifest, own_problems = _parse_manifest(item)
        problems += own_problems
        if own_problems and (key := _document_key(item)):
            invalid[key] = item
            by_key[key] = (*by_key.get(key, ()), *own_problems)
        if manifest is not None:
            (invalid_trainings if own_problems else valid).append(manifest)
    for key, duplicate in _check_duplicate_ids(documents):
        problems.append(duplicate)
        by_key[key] = (*by_key.get(key, ()), duplicate)
    return Manifests(
        trainings=_select(valid, ModelTraining),
        connections=_select(valid, Connection),
        toolchains=_select(valid, ToolchainIntegration),
        invalid_trainings=_select(invalid_trainings, ModelTraining),
        skipped=tuple(skipped),
        warnings=tuple(warning for manifest in [*valid, *invalid_trainings] for warning in _warnings(manifest)),
        problems=tuple(problems),
        invalid=invalid,
        problems_by_key=by_key,
    )


def with_warnings_as_problems(manifests: Manifests) -> Manifests:
    """Return strict manifests, with each warning as a problem of its manifest."""
    groups = (manifests.trainings, manifests.invalid_trainings, manifests.connections, manifests.toolchains)
    loaded: list[LoadedManifest[Any]] = [item for group in groups for item in group]
    by_key = dict(manifests.problems_by_key)
    for item in loaded:
        if own := tuple(_warnings(item)):
            by_key[_key(item)] = (*by_key.get(_key(item), ()), *own)
    problems = (*manifests.problems, *manifests.warnings)
    return replace(manifests, problems=problems, problems_by_key=by_key, warnings=(), is_strict=True)


def add_missing(manifests: Manifests, other: Manifests) -> Manifests:
    """Add the connections and toolchains of `other`, valid or not, whose kind and ID `manifests` does not contain."""
    own = {*map(_key, manifests.connections), *map(_key, manifests.toolchains), *manifests.invalid}
    return replace(
        manifests,
        connections=manifests.connections + tuple(item for item in other.connections if _key(item) not in own),
        toolchains=manifests.toolchains + tuple(item for item in other.toolchains if _key(item) not in own),
        invalid={key: item for key, item in other.invalid.items() if key not in own} | dict(manifests.invalid),
    )


def join(manifests: Manifests, other: Manifests) -> Manifests:
    """Return the manifests of both, which have no manifest with the same kind and ID."""
    return replace(
        manifests,
        trainings=manifests.trainings + other.trainings,
        connections=manifests.connections + other.connections,
        toolchains=manifests.toolchains + other.toolchains,
        invalid_trainings=manifests.invalid_trainings + other.invalid_trainings,
        problems=manifests.problems + other.problems,
        invalid={**manifests.invalid, **other.invalid},
        problems_by_key={**manifests.problems_by_key, **other.problems_by_key},
        warnings=manifests.warnings + other.warnings,
    )


def _key(loaded: LoadedManifest[Any]) -> tuple[str, str]:
    return loaded.manifest.kind, loaded.manifest.id


def _document_key(item: Document) -> tuple[str, str] | None:
    """Return the kind and ID of a manifest, or None if it is no mapping."""
    return (_kind(item.value) or "", str(item.value.get("id"))) if isinstance(item.value, dict) else None


def _select(manifests: list[LoadedManifest[Manifest]], kind: type[T]) -> tuple[LoadedManifest[T], ...]:
    return tuple(
        LoadedManifest(loaded.manifest, loaded.document, loaded.reported)
        for loaded in manifests
        if isinstance(loaded.manifest, kind)
    )


def _without_copies(documents: Iterable[Document]) -> Iterator[Document]:
    """Yield the documents, each manifest once if several files contain the same: projects repeat their toolchain."""
    first: dict[tuple[str, str], Document] = {}
    for item in documents:
        key = _document_key(item)
        original = first.setdefault(key, item) if key else item
        if original is item or original.file == item.file or original.value != item.value:
            yield item


def _with_valid_id(item: Document) -> Document:
    """Return a training's document with a valid ID, and any other document unchanged."""
    value = item.value
    if not isinstance(value, dict) or _kind(value) != "ModelTraining" or not isinstance(value.get("id"), str):
        return item
    valid_id = as_id(value["id"])
    if ID_PATTERN.fullmatch(value["id"]) or not valid_id:
        return item
    warning = Problem(f"{value['id']!r} is not a valid id; the training runs as {valid_id}", item.location(("id",)))
    return replace(item, value={**value, "id": valid_id}, warnings=(*item.warnings, warning))


def _is_other_kind(item: Document) -> bool:
    """Return whether the document is a Kubernetes object or another kind of ODAHU, which share directories with manifests."""
    if not isinstance(item.value, dict):
        return False
    kind, api_version = item.value.get("kind"), item.value.get("apiVersion")
    if kind in KINDS:
        return False
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return kind in OTHER_ODAHU_KINDS
    has_metadata = "metadata" in item.value or api_version.startswith("kustomize.config.k8s.io/")
    return kind in OTHER_ODAHU_KINDS or has_metadata


def _is_no_manifest(item: Document) -> bool:
    """Return whether the document is another file of a project, such as conda.yaml."""
    return not isinstance(item.value, dict) or not ({"kind", "spec"} & item.value.keys())


def _parse_manifest(item: Document) -> tuple[LoadedManifest[Manifest] | None, list[Problem]]:
    """Return the manifest and its problems. Of a training with problems, return the readable part."""
    kind = _kind(item.value) if isinstance(item.value, dict) else None
    if (problem := _check_kind(item, kind)) is not None:
        return None, [problem]
    manifest, problems = validate(KINDS[str(kind)], item)
    if manifest is None:
        item = ignore_unknown_fields(KINDS[str(kind)], item)
        manifest, problems = validate(KINDS[str(kind)], item)
    replaced: set[str] = set()
    if manifest is None and kind == "ModelTraining":
        manifest, replaced = validate_partially(ModelTraining, item)
    if isinstance(manifest, ModelTraining):
        spelling_problems = check_spellings(manifest, item)
        problems += exclude_reported(spelling_problems, {legacy_field(field) for field in replaced})
    reported = {problem.location.field or "" for problem in problems} | replaced
    return LoadedManifest(manifest, item, frozenset(reported)) if manifest else None, problems


def _kind(value: dict[str, Any]) -> str | None:
    """Return the kind of a manifest. A spec with a type is a Connection: ODAHU's documentation omits their kind."""
    kind, spec = value.get("kind"), value.get("spec")
    if kind is None and isinstance(spec, dict) and isinstance(spec.get("type"), str):
        return "Connection"
    return kind if isinstance(kind, str) else None


def _check_kind(item: Document, kind: str | None) -> Problem | None:
    kinds, location = list(KINDS), item.location(("kind",))
    if not isinstance(item.value, dict):
        return Problem("not a manifest", item.location(), "write a mapping with kind, id and spec")
    if kind is None:
        return Problem("required field is missing", location, f"set it to {', '.join(kinds[:-1])} or {kinds[-1]}")
    if kind not in KINDS:
        return Problem(f"unknown kind {kind!r}", location, suggest(kind, kinds))
    if kind == "ModelTraining" and _has_connection_spec(item.value):
        message = "kind is ModelTraining, but the spec is that of a connection: it has type and uri, and no model"
        return Problem(message, location, "set kind: Connection")
    return None


def _has_connection_spec(value: dict[str, Any]) -> bool:
    """Return whether the spec is a connection's, as in an example of ODAHU's documentation."""
    spec = value.get("spec")
    return isinstance(spec, dict) and {"type", "uri"} <= spec.keys() and "model" not in spec


def _warnings(loaded: LoadedManifest[Manifest]) -> Iterator[Problem]:
    yield from loaded.document.warnings
    if isinstance(loaded.manifest, ModelTraining) and loaded.manifest.spec.args:
        message = "args has no effect: ODAHU-flow never passed it to MLflow"
        yield Problem(message, loaded.document.location(("spec", "args")), "use hyperParameters")


def _check_duplicate_ids(documents: list[Document]) -> Iterator[tuple[tuple[str, str], Problem]]:
    """Yield the kind and ID of each duplicate, and the problem."""
    first: dict[tuple[str, str], Document] = {}
    for item in documents:
        if not isinstance(item.value, dict) or not isinstance(item.value.get("id"), str):
            continue
        key = (_kind(item.value) or "", item.value["id"])
        if key[0] in KINDS and key in first:
            message = f"duplicate {key[0]} {key[1]!r}; the first one is at {first[key].location()}"
            yield key, Problem(message, item.location(("id",)), "remove one of them, or change its id")
        first.setdefault(key, item)
