from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import document
from odahu_argo.errors import UserError


def value(text: str) -> object:
    [parsed] = document.parse(textwrap.dedent(text), "x.yaml")
    return parsed.value


def test_scalars_keep_their_text() -> None:
    text = "[3.0, 1.10, 0x1F, 1e3, yes, True, 2020-01-01, 'q', 12:30:45]"
    assert value(text) == ["3.0", "1.10", "0x1F", "1e3", "yes", "True", "2020-01-01", "q", "12:30:45"]


def test_null_and_empty_text() -> None:
    assert value("{a: , b: ~, c: null, d: '', e: 'null'}") == {"a": None, "b": None, "c": None, "d": "", "e": "null"}


def test_location_of_field() -> None:
    [parsed] = document.parse("a:\n  b:\n  - c: 1\n  - c: 2\n", "x.yaml")
    assert str(parsed.location(("a", "b", 1, "c"))) == "x.yaml:4: a.b[1].c"
    assert str(parsed.location(("a", "missing"))) == "x.yaml:1: a.missing"


def test_lines_count_from_start_of_file() -> None:
    documents = document.parse("a: 1\n---\n\n---\nb: 2\n", "x.yaml")
    assert [(parsed.value, parsed.location(tuple(parsed.value)).line) for parsed in documents] == [
        ({"a": "1"}, 1),
        ({"b": "2"}, 5),
    ]


def test_anchors_and_merges() -> None:
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
        ("a: 1\na: 2", 2, "duplicate key 'a'"),
        ("a: [1, 2\nb: 3\n", 2, "while parsing a flow sequence that starts on line 1"),
        ("a:\n  - b\n c: 1", 3, "invalid YAML"),
        ("a: *b", 1, "an alias has no anchor"),
        ("? [1]\n: 2", 1, "a key must be text"),
        ("a: 1\n<<: 3", 2, "the value of `<<` must be a mapping"),
        ("a: {{ .Name }}.zip", 1, "a key must be text"),
        ("[" * 100_000, 1, "nested deeper than 64 levels"),
        ("- " * 100_000 + "x", 1, "nested deeper than 64 levels"),
    ],
)
def test_syntax_error_has_line(text: str, line: int, message: str) -> None:
    with pytest.raises(UserError) as error:
        document.parse(text, "x.yaml")
    [problem] = error.value.problems
    assert (problem.location.file, problem.location.line) == ("x.yaml", line)
    assert message in problem.message


def test_unquoted_template_gives_warning() -> None:
    text = "a: 1\n---\nmodel:\n  artifactNameTemplate: {{ .Name }}-{{ .Version }}.zip  # as printed\n  name: x\n"
    first, second = document.parse(text, "x.yaml")
    assert second.value == {"model": {"artifactNameTemplate": "{{ .Name }}-{{ .Version }}.zip", "name": "x"}}
    assert first.warnings == ()
    [warning] = second.warnings
    assert warning.location.line == 4
    assert "artifactNameTemplate: '{{ .Name }}-{{ .Version }}.zip'" in warning.message


def test_block_scalar_with_template_is_unchanged() -> None:
    assert value("a: |\n  artifactNameTemplate: {{ .Name }}\n") == {"a": "artifactNameTemplate: {{ .Name }}\n"}


def test_rejects_yaml_bomb() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="more than 100000 values"):
        document.parse("a0: &a0 [x]\n" + "\n".join(levels), "bomb.yaml")


@given(st.text())
def test_any_text_gives_documents_or_user_error(text: str) -> None:
    try:
        documents = document.parse(text, "x.yaml")
    except UserError as error:
        assert all(problem.location.file == "x.yaml" for problem in error.problems)
    else:
        assert all(parsed.value is not None for parsed in documents)


plain = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(plain)
def test_parses_json(content: object) -> None:
    [parsed] = document.parse(json.dumps([content]), "x.json")
    assert parsed.value == [content]
