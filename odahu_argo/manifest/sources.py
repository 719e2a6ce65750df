"""Discovery and parsing of manifest files, in directories, files and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Location, Problem, UserError
from odahu_argo.parallel import parallel_map

STANDARD_INPUT = Path("-")
MAX_FILE_NAME_LENGTH = 255
MAX_FILE_BYTES = 4 * 1024 * 1024
"""A manifest has a few thousand bytes; Kubernetes limits an object to about 1 MiB."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, and whether it was discovered in a directory rather than specified itself."""

    path: Path
    from_directory: bool


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """Documents of a file, or the problems that prevent reading it."""

    documents: Sequence[Document] = ()
    problems: Sequence[Problem] = ()


def find_files(sources: Iterable[Path]) -> Iterator[SourceFile | Problem]:
    """Yield the specified files and those in the specified directories, each once, and a problem for each missing source."""
    visited: set[Path] = set()
    for source in sources:
        if len(source.name) > MAX_FILE_NAME_LENGTH:
            yield Problem("no such file or directory", Location(f"{source.name[:60]}..."))
        elif source.is_dir():
            paths = [path for path in sorted(source.rglob("*")) if _is_candidate(path.relative_to(source), path)]
            if not paths:
                yield Problem("the directory contains no .yaml, .yml or .json file", Location(str(source)))
            resolved_paths = [path.resolve() for path in paths]
            for path, resolved in zip(paths, resolved_paths, strict=True):
                if resolved not in visited:
                    yield SourceFile(path, from_directory=True)
            visited.update(resolved_paths)
        elif source == STANDARD_INPUT or source.exists():
            if source.resolve() not in visited:
                yield SourceFile(source, from_directory=False)
            visited.add(source.resolve())
        else:
            yield Problem("no such file or directory", Location(str(source)))


def _is_candidate(relative: Path, path: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in relative.parts)
    return path.suffix in {".yaml", ".yml", ".json"} and not is_hidden and path.is_file()


def parse_files(files: Sequence[Path]) -> list[ParsedFile]:
    """Parse files in order, many of them in parallel. A file that cannot be read has problems instead of documents."""
    return [_parse(file) for file in files] if STANDARD_INPUT in files else parallel_map(_parse, files)


def _parse(file: Path) -> ParsedFile:
    name = "standard input" if file == STANDARD_INPUT else str(file)
    try:
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if file == STANDARD_INPUT else _read(file)
        if len(data) > MAX_FILE_BYTES:
            raise UserError(Problem(f"larger than {MAX_FILE_BYTES // 1024**2} MiB", Location(name)))
        return ParsedFile(document.parse(data.decode("utf-8-sig"), name))
    except UserError as error:
        return ParsedFile(problems=error.problems)
    except UnicodeDecodeError:
        return ParsedFile(problems=[Problem("not UTF-8 text", Location(name))])
    except OSError as error:
        return ParsedFile(problems=[Problem(f"cannot read the file: {error.strerror}", Location(name))])


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)
