from __future__ import annotations

import pytest

from tests.unit.compile.argo_substitution import EVALUATED, CannotSubstitute, through_argo, through_kubelet

ARGO = {"workflow.name": "wine-1", "inputs.parameters.x": 'of "input"', "x": "y"}
PODS = {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a {{workflow.name}} b", "a wine-1 b"),
        ("{{ workflow.name }}", "wine-1"),
        ("{{inputs.parameters.x}}", 'of "input"'),
        ("{{=1+1}}", EVALUATED),
        ("{{.Name}} {{nobody}}", "{{.Name}} {{nobody}}"),
        ("{{a {{x}}}}", "{{a y}}"),
        ("}} {", "}} {"),
    ],
)
def test_replaces_tags_like_argo(text: str, seen: str) -> None:
    assert through_argo({"env": [text, "<&>\u2028\0"]}, ARGO) == {"env": [seen, "<&>\u2028\0"]}


@pytest.mark.parametrize("text", ["{{", "{{ }", "{{x}} {{"])
def test_rejects_unclosed_tag_like_argo(text: str) -> None:
    with pytest.raises(CannotSubstitute, match="end tag"):
        through_argo([text], ARGO)


def test_tag_across_texts_breaks_structure() -> None:
    assert through_argo(["{{=", "}}"], ARGO) == [EVALUATED]
    with pytest.raises(CannotSubstitute, match="invalid JSON"):
        through_argo({"{{=": "}}"}, ARGO)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("$(PATH) $(NONE) $$(PATH) $$$(PATH)", "/bin $(NONE) $(PATH) $/bin"),
        ("$ $x $( $(PATH", "$ $x $( $(PATH"),
        ("$$ a$", "$ a$"),
    ],
)
def test_expands_variables_like_kubelet(text: str, seen: str) -> None:
    assert through_kubelet(text, PODS) == seen
