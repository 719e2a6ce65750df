"""Files, folders and standard input to manifests that remember where they were written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.manifest.models import Connection, Manifest, ModelTraining, ToolchainIntegration
from odahu_argo.manifest.spelling import contradictions
from odahu_argo.validation import nearest, validate

T = TypeVar("T", bound=Manifest)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, and whether it was only found in a folder that was named."""

    path: Path
    from_folder: bool


STANDARD_INPUT = Path("-")
LONGEST_FILE_NAME = 255
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes. A manifest has a few thousand; Kubernetes takes no object over one MiB."""

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
    """A manifest and the document it was read from."""

    manifest: T
    document: Document


@dataclass(frozen=True, slots=True)
class Manifests:
    """What was found, in the order given.

    `skipped` are documents of kinds that odahu-argo has no use for, `warnings` what was understood although it is not quite
    right, `problems` what is wrong, and `refused` manifests that are there and cannot be used, by kind and id.
    `registered` are toolchains that live where the trainings shall run; those among the manifests win over them.
    """

    trainings: tuple[Written[ModelTraining], ...] = ()
    connections: tuple[Written[Connection], ...] = ()
    toolchains: tuple[Written[ToolchainIntegration], ...] = ()
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
    for source in _files(sources, problems):
        for found in _parse(source.path, problems):
            is_other = _is_for_others(found) or (source.from_folder and _is_no_manifest(found))
            (skipped if is_other else documents).append(found)
    return read_documents(documents, problems, skipped)


def read_documents(
    documents: Iterable[Document], known_problems: Iterable[Problem] = (), skipped: Iterable[Document] = ()
) -> Manifests:
    """Every document as a manifest; `known_problems` stand before those found here, `skipped` is passed on."""
    problems = list(known_problems)
    written: list[Written[Manifest]] = []
    refused: dict[tuple[str, str], Document] = {}
    for found in documents:
        if (manifest := _manifest(found, problems)) is not None:
            written.append(Written(manifest, found))
        elif isinstance(found.value, dict):
            refused[_kind(found.value) or "", str(found.value.get("id"))] = found
    problems += _repeated_ids(written)
    return Manifests(
        trainings=_of_kind(written, ModelTraining),
        connections=_of_kind(written, Connection),
        toolchains=_of_kind(written, ToolchainIntegration),
        skipped=tuple(skipped),
        warnings=tuple(warning for each in written for warning in _warnings(each)),
        problems=tuple(problems),
        refused=refused,
    )


def _may_be_a_manifest(within: Path, path: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in within.parts)
    return path.suffix in {".yaml", ".yml", ".json"} and not is_hidden and path.is_file()


def _files(sources: Iterable[Path], problems: list[Problem]) -> Iterator[_Source]:
    given: set[Path] = set()
    for source in sources:
        if len(source.name) > LONGEST_FILE_NAME:
            problems.append(Problem("there is no such file or folder", Where(f"{source.name[:60]}...")))
        elif source.is_dir():
            names = [path for path in sorted(source.rglob("*")) if _may_be_a_manifest(path.relative_to(source), path)]
            if not names:
                problems.append(Problem("the folder holds no .yaml, .yml or .json file", Where(str(source))))
            for name in names:
                if name.resolve() not in given:
                    yield _Source(name, from_folder=True)
            given.update(name.resolve() for name in names)
        elif source == STANDARD_INPUT or source.exists():
            if source.resolve() not in given:
                yield _Source(source, from_folder=False)
            given.add(source.resolve())
        else:
            problems.append(Problem("there is no such file or folder", Where(str(source))))


def _parse(file: Path, problems: list[Problem]) -> list[Document]:
    name = "standard input" if file == STANDARD_INPUT else str(file)
    try:
        raw = sys.stdin.buffer.read(LARGEST_FILE + 1) if file == STANDARD_INPUT else _read(file)
        if len(raw) > LARGEST_FILE:
            raise UserError(Problem(f"is larger than {LARGEST_FILE // 1024**2} MiB", Where(name)))
        return [each for found in document.parse(raw.decode("utf-8-sig"), name) for each in found.items()]
    except UserError as error:
        problems += error.problems
    except UnicodeDecodeError:
        problems.append(Problem("is not UTF-8 text", Where(name)))
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror}", Where(name)))
    return []


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST_FILE + 1)


def _is_for_others(found: Document) -> bool:
    """Kubernetes objects and ODAHU's kinds beside training, which live in the same folders."""
    if not isinstance(found.value, dict):
        return False
    kind, api_version = found.value.get("kind"), found.value.get("apiVersion")
    if kind in KINDS:
        return False
    return kind in OTHER_ODAHU_KINDS or (
        isinstance(kind, str) and isinstance(api_version, str) and "metadata" in found.value
    )


def _is_no_manifest(found: Document) -> bool:
    """A project's other files: conda.yaml, a request's JSON and the like."""
    return not isinstance(found.value, dict) or not ({"kind", "spec"} & found.value.keys())


def _manifest(found: Document, problems: list[Problem]) -> Manifest | None:
    if not isinstance(found.value, dict):
        problems.append(Problem("a manifest is a mapping with kind, id and spec", found.where()))
        return None
    kind = _kind(found.value)
    if kind not in KINDS:
        message = "has no kind" if kind is None else f"{kind!r} is not a kind that odahu-argo knows"
        problems.append(Problem(message, found.where(("kind",)), nearest(str(kind), list(KINDS))))
        return None
    manifest, found_problems = validate(KINDS[kind], found)
    if isinstance(manifest, ModelTraining):
        found_problems += contradictions(manifest, found)
    problems += found_problems
    return None if found_problems else manifest


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


def _repeated_ids(written: list[Written[Manifest]]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Document] = {}
    for each in written:
        key = (each.manifest.kind, each.manifest.id)
        if key in first:
            message = f"the {key[0]} {key[1]!r} is given twice; the other is at {first[key].where()}"
            yield Problem(message, each.document.where(("id",)), "remove one, or give it another id")
        first.setdefault(key, each.document)


def _of_kind(written: list[Written[Manifest]], kind: type[T]) -> tuple[Written[T], ...]:
    return tuple(Written(each.manifest, each.document) for each in written if isinstance(each.manifest, kind))
