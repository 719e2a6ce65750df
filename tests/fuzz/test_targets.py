"""The seeds of the fuzzer, and what it has found so far, hold what any input must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, examples
from tests.fuzz.targets import TARGETS
from tests.unit.status.recordings import FOLDER

FOUND = Path(__file__).parent / "found"
"""`<target>-<what it was>`: inputs that once broke a promise."""


def manifests() -> Iterator[bytes]:
    """Each example as one file, and each of its files."""
    for example in examples():
        files = sorted(example.folder.glob("*.yaml"))
        yield b"---\n".join(file.read_bytes() for file in files if file.name != "profile.yaml")
        yield from (file.read_bytes() for file in files)


def workflows() -> Iterator[bytes]:
    """Argo's recordings, short ways to change them, and workflows as they are compiled."""
    yield from (file.read_bytes() for file in sorted(FOLDER.glob("*.json")))
    yield from (bytes([number, 1, 2, 3, 40, 50, 60]) for number in range(20))
    yield b'{"status": {"phase": "Failed", "nodes": {}}}'


SEEDS = {"loader": manifests, "status": workflows}


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_hold(name: str) -> None:
    seeds = list(SEEDS[name]())
    assert len(seeds) > 5
    for seed in seeds:
        TARGETS[name](seed)


@pytest.mark.parametrize("file", sorted(FOUND.glob("*")), ids=lambda file: file.name)
def test_what_was_found_once_holds(file: Path) -> None:
    TARGETS[file.name.partition("-")[0]](file.read_bytes())


def test_the_examples_are_there() -> None:
    assert EXAMPLES.is_dir()
