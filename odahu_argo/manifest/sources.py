"""Files, folders and standard input to documents."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.parallel import parallel_map

STANDARD_INPUT = Path("-")
LONGEST_FILE_NAME = 255
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes. A manifest has a few thousand; Kubernetes takes no object over one MiB."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and whether it was only found in a folder that was named."""

    path: Path
    from_folder: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """The documents of a file, or why there are none."""

    documents: Sequence[Document] = ()
    problems: Sequence[Problem] = ()


def _may_be_a_manifest(within: Path, path: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in within.parts)
    return path.suffix in {".yaml", ".yml", ".json"} and not is_hidden and path.is_file()


def find(sources: Iterable[Path]) -> Iterator[Source | Problem]:
    """The files that were named or are in folders that were named, each once; what is not there is a problem."""
    given: set[Path] = set()
    for source in sources:
        if len(source.name) > LONGEST_FILE_NAME:
            yield Problem("there is no such file or folder", Where(f"{source.name[:60]}..."))
        elif source.is_dir():
            names = [path for path in sorted(source.rglob("*")) if _may_be_a_manifest(path.relative_to(source), path)]
            if not names:
                yield Problem("the folder holds no .yaml, .yml or .json file", Where(str(source)))
            resolved = [name.resolve() for name in names]
            for name, own in zip(names, resolved, strict=True):
                if own not in given:
                    yield Source(name, from_folder=True)
            given.update(resolved)
        elif source == STANDARD_INPUT or source.exists():
            if source.resolve() not in given:
                yield Source(source, from_folder=False)
            given.add(source.resolve())
        else:
            yield Problem("there is no such file or folder", Where(str(source)))


def parse(files: Sequence[Path]) -> list[Parsed]:
    """What each file holds; what cannot be read is a problem of the file. Many are shared by processes."""
    return [_parse(file) for file in files] if STANDARD_INPUT in files else parallel_map(_parse, files)


def _parse(file: Path) -> Parsed:
    name = "standard input" if file == STANDARD_INPUT else str(file)
    try:
        raw = sys.stdin.buffer.read(LARGEST_FILE + 1) if file == STANDARD_INPUT else _read(file)
        if len(raw) > LARGEST_FILE:
            raise UserError(Problem(f"is larger than {LARGEST_FILE // 1024**2} MiB", Where(name)))
        return Parsed([each for found in document.parse(raw.decode("utf-8-sig"), name) for each in found.items()])
    except UserError as error:
        return Parsed(problems=error.problems)
    except UnicodeDecodeError:
        return Parsed(problems=[Problem("is not UTF-8 text", Where(name))])
    except OSError as error:
        return Parsed(problems=[Problem(f"cannot be read: {error.strerror}", Where(name))])


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST_FILE + 1)
