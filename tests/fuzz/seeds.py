"""Seed inputs of the fuzzer, by target."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conftest import examples
from tests.unit.status.recordings import FOLDER


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
