"""A model of what Argo 4.1.2 and the kubelet do to text, for property tests.

It follows argoproj/argo-workflows v4.1.2: `SubstituteParams` in workflow/common/util.go substitutes twice in the template as
encoding/json writes it; util/template has the tags, which valyala/fasttemplate 1.2.2 finds. The kubelet's part follows
`Expand` in kubernetes' third_party/forked/golang/expansion. Only one thing is simpler: an expression `{{=...}}` is not
evaluated, but replaced by a word that tells that it would have been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

EVALUATED = "EVALUATED"
_GO_ESCAPES = {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}


class CannotSubstitute(ValueError):
    """The workflow would end with an error."""


def through_argo(value: Any, variables: Mapping[str, str]) -> Any:
    """A template, or another part of a workflow, after both rounds of substitution.

    Raises:
        CannotSubstitute: a tag has no end, or the result is no JSON.
    """
    for _ in range(2):
        replaced = _replace(_as_go_writes(value), variables)
        try:
            value = json.loads(replaced)
        except ValueError as error:
            raise CannotSubstitute("the result was invalid JSON") from error
    return value


def _as_go_writes(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _GO_ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _replace(text: str, variables: Mapping[str, str]) -> str:
    found, *pieces = text.split("{{", 1)
    while pieces:
        tag, end, rest = pieces[0].partition("}}")
        if not end:
            raise CannotSubstitute("cannot find end tag")
        found += _tag(tag, variables)
        before, *pieces = rest.split("{{", 1)
        found += before
    return found


def _tag(tag: str, variables: Mapping[str, str]) -> str:
    if tag.startswith("="):
        return EVALUATED
    if tag.strip() in variables:
        return _quoted(variables[tag.strip()])
    before, nested, inner = tag.rpartition("{{")
    if nested and before and inner in variables:
        return "{{" + before + _quoted(variables[inner])
    return "{{" + tag + "}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def through_kubelet(text: str, variables: Mapping[str, str]) -> str:
    """The value of an environment variable, or an argument, as the container gets it."""
    found, rest = "", text
    while rest:
        before, dollar, rest = rest.partition("$")
        found += before
        if not dollar or not rest:
            return found + dollar
        if rest[0] == "$":
            found, rest = found + "$", rest[1:]
        elif rest[0] != "(":
            found, rest = found + "$" + rest[0], rest[1:]
        elif ")" in rest:
            name, _, rest = rest[1:].partition(")")
            found += variables.get(name, f"$({name})")
        else:
            found, rest = found + "$(", rest[1:]
    return found
