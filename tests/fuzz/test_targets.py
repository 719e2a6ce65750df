"""Seeds and regression inputs of the fuzzer satisfy the invariants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import examples
from tests.fuzz.targets import TARGETS
from tests.unit.status.recordings import FOLDER

FOUND = Path(__file__).parent / "found"
"""Regression inputs, named `<target>-<description>`."""


def manifests() -> Iterator[bytes]:
    """Yield each example as one file, and each of its files."""
    for example in examples():
        files = sorted(example.folder.glob("*.yaml"))
        yield b"---\n".join(file.read_bytes() for file in files if file.name != "profile.yaml")
        yield from (file.read_bytes() for file in files)


def workflows() -> Iterator[bytes]:
    """Yield recorded workflows, and bytes that modify them."""
    yield from (file.read_bytes() for file in sorted(FOLDER.glob("*.json")))
    yield from (bytes([number, 1, 2, 3, 40, 50, 60]) for number in range(20))
    yield b'{"status": {"phase": "Failed", "nodes": {}}}'


SEEDS = {"loader": manifests, "status": workflows}


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_satisfy_invariants(name: str) -> None:
    seeds = list(SEEDS[name]())
    assert len(seeds) > 5
    for seed in seeds:
        TARGETS[name](seed)


@pytest.mark.parametrize("file", sorted(FOUND.glob("*")), ids=lambda file: file.name)
def test_regression_inputs_satisfy_invariants(file: Path) -> None:
    TARGETS[file.name.partition("-")[0]](file.read_bytes())
