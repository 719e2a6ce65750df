"""What is written as YAML is read back as it was, by a reader that knows nothing of us."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.compile.emit import quote_yaml, to_yaml

MISREAD = [
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
TEXTS = st.one_of(st.text(max_size=100), st.sampled_from(MISREAD))
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=15,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=2)


@given(OBJECTS)
def test_objects_are_read_back_as_they_were(objects: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(to_yaml(objects))) == objects


def test_numbers_and_truths_that_are_equal_keep_their_kind() -> None:
    assert to_yaml([{"a": 1, "b": True, "c": "1", "d": "true", "e": None, "f": "null"}]) == (
        "{a: 1, b: true, c: '1', d: 'true', e: null, f: 'null'}\n"
    )


@given(TEXTS)
def test_a_quoted_text_stands_on_one_line_and_is_read_back(text: str) -> None:
    written = quote_yaml(text)
    assert "\n" not in written
    assert yaml.safe_load(written) == text
