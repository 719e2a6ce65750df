"""Seeds and regression inputs of the fuzzer satisfy the invariants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"
"""Regression inputs, named `<target>-<description>`."""


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_satisfy_invariants(name: str) -> None:
    seeds = list(SEEDS[name]())
    assert len(seeds) > 5
    for seed in seeds:
        TARGETS[name](seed)


@pytest.mark.parametrize("file", sorted(FOUND.glob("*")), ids=lambda file: file.name)
def test_regression_inputs_satisfy_invariants(file: Path) -> None:
    TARGETS[file.name.partition("-")[0]](file.read_bytes())
