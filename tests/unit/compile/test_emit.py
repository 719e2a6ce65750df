"""YAML output parses to the same values with a standard parser."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.compile.emit import quote_yaml, to_yaml

AMBIGUOUS = [
    "yes",
    "on",
    "1",
    "1.0",
    "1e3",
    "0x1f",
    "null",
    "~",
    "",
    "2001-01-01",
    "=",
    "<<",
    "a: b",
    "- a",
    "#",
    "a\n",
    "\t",
]
TEXTS = st.one_of(st.text(max_size=100), st.sampled_from(AMBIGUOUS))
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=15,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=2)


@given(OBJECTS)
def test_yaml_round_trip(objects: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(to_yaml(objects))) == objects


def test_scalars_keep_their_type() -> None:
    assert to_yaml([{"a": 1, "b": True, "c": "1", "d": "true", "e": None, "f": "null"}]) == (
        "{a: 1, b: true, c: '1', d: 'true', e: null, f: 'null'}\n"
    )


@given(TEXTS)
def test_quoted_text_round_trip(text: str) -> None:
    quoted = quote_yaml(text)
    assert "\n" not in quoted
    assert yaml.safe_load(quoted) == text


@pytest.mark.parametrize("text", ["y", "N", "08", "0o7", "0O7", "0B1", "0X1f", "1e3", "12e4567", "+1E5", ".5e1"])
def test_text_is_text_to_kubectl(text: str) -> None:
    """kubectl reads numbers of Go and YAML 1.2, and single letters as booleans. A label of another type is rejected."""
    assert to_yaml([{"version": text}]) in (f"{{version: '{text}'}}\n", f"version: '{text}'\n")
    assert to_yaml([{text: "x"}]).lstrip("{").startswith(f"'{text}'")
