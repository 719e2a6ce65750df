from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import document
from odahu_argo.errors import UserError


def value(text: str) -> object:
    [found] = document.parse(textwrap.dedent(text), "x.yaml")
    return found.value


def test_a_number_or_truth_value_stays_the_text_that_was_written() -> None:
    text = "[3.0, 1.10, 0x1F, 1e3, yes, True, 2020-01-01, 'q', 12:30:45]"
    assert value(text) == ["3.0", "1.10", "0x1F", "1e3", "yes", "True", "2020-01-01", "q", "12:30:45"]


def test_an_empty_value_is_nothing_and_an_empty_text_is_text() -> None:
    assert value("{a: , b: ~, c: null, d: '', e: 'null'}") == {"a": None, "b": None, "c": None, "d": "", "e": "null"}


def test_a_field_is_found_by_file_and_line() -> None:
    [found] = document.parse("a:\n  b:\n  - c: 1\n  - c: 2\n", "x.yaml")
    assert str(found.where(("a", "b", 1, "c"))) == "x.yaml:4: a.b[1].c"
    assert str(found.where(("a", "missing"))) == "x.yaml:1: a.missing"


def test_documents_are_counted_from_the_lines_of_the_file() -> None:
    documents = document.parse("a: 1\n---\n\n---\nb: 2\n", "x.yaml")
    assert [(each.value, each.where(tuple(each.value)).line) for each in documents] == [
        ({"a": "1"}, 1),
        ({"b": "2"}, 5),
    ]


def test_anchors_and_merges_work() -> None:
    text = """\
        usual: &usual {cpu: 1, memory: 1Gi}
        limits: {<<: *usual, cpu: 2}
        requests: *usual
        """
    usual = {"cpu": "1", "memory": "1Gi"}
    assert value(text) == {"usual": usual, "limits": {"cpu": "2", "memory": "1Gi"}, "requests": usual}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2", 2, "the key 'a' stands twice"),
        ("a: [1, 2\nb: 3\n", 2, "while parsing a flow sequence that begins on line 1"),
        ("a:\n  - b\n c: 1", 3, "not valid YAML"),
        ("a: *b", 1, "begins with * is an alias, and this one has no anchor"),
        ("? [1]\n: 2", 1, "a key must be text"),
        ("a: 1\n<<: 3", 2, "`<<` takes a mapping"),
        ("a: {{ .Name }}.zip", 1, "a key must be text"),
        ("[" * 100_000, 1, "nested deeper than 64 levels"),
        ("- " * 100_000 + "x", 1, "nested deeper than 64 levels"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(UserError) as error:
        document.parse(text, "x.yaml")
    [problem] = error.value.problems
    assert (problem.where.file, problem.where.line) == ("x.yaml", line)
    assert message in problem.message


def test_an_unquoted_template_is_understood_with_a_warning_that_shows_the_quotes() -> None:
    text = "a: 1\n---\nmodel:\n  artifactNameTemplate: {{ .Name }}-{{ .Version }}.zip  # as printed\n  name: x\n"
    first, second = document.parse(text, "x.yaml")
    assert second.value == {"model": {"artifactNameTemplate": "{{ .Name }}-{{ .Version }}.zip", "name": "x"}}
    assert first.warnings == ()
    [warning] = second.warnings
    assert warning.where.line == 4
    assert "artifactNameTemplate: '{{ .Name }}-{{ .Version }}.zip'" in warning.message


def test_text_that_only_looks_like_an_unquoted_template_stays_as_it_is() -> None:
    assert value("a: |\n  artifactNameTemplate: {{ .Name }}\n") == {"a": "artifactNameTemplate: {{ .Name }}\n"}


def test_a_yaml_bomb_is_refused() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="more than 100000 values"):
        document.parse("a0: &a0 [x]\n" + "\n".join(levels), "bomb.yaml")


@given(st.text())
def test_no_text_ends_in_anything_but_documents_or_a_user_error(text: str) -> None:
    try:
        documents = document.parse(text, "x.yaml")
    except UserError as error:
        assert all(problem.where.file == "x.yaml" for problem in error.problems)
    else:
        assert all(each.value is not None for each in documents)


plain = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(plain)
def test_json_is_read_as_it_was_written(written: object) -> None:
    [found] = document.parse(json.dumps([written]), "x.json")
    assert found.value == [written]
