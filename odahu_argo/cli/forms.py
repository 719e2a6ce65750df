"""The forms in which a command shows what it has read: a table, JSON, YAML, or what a JSONPath picks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from odahu_argo.cli import render

Items = Sequence[dict[str, Any]]
FORMS = ("table", "wide", "json", "yaml", "jsonpath=EXPRESSION")
CHANGES_FORMS = ("changes", *FORMS)


def _known(form: str | None) -> str | None:
    return render.in_form(form if form is None else _one_of(FORMS, form))


def _known_of_changes(form: str) -> str:
    return render.in_form(_one_of(CHANGES_FORMS, form))


def _one_of(forms: Sequence[str], form: str) -> str:
    if form.partition("=")[0] not in [each.partition("=")[0] for each in forms]:
        raise typer.BadParameter(f"{form!r} is none of {', '.join(forms)}")
    return form


Form = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        "--format",
        "--output-format",
        metavar="|".join(FORMS),
        callback=_known,
        help="The form of what is shown. On a terminal a table, else YAML, as odahuflowctl did.",
    ),
]

ChangesForm = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        "--format",
        "--output-format",
        metavar="|".join(CHANGES_FORMS),
        callback=_known_of_changes,
        help="A line for each change, or the resources as they are now.",
    ),
]


def show(items: Items, form: str | None, table: Callable[[bool], None]) -> None:
    """Write the items in the form that was asked for; `table` is called with whether the wide one is wanted.

    JSON and YAML are lists, also of one item, and a JSONPath is applied to that list, as odahuflowctl did.

    Raises:
        UserError: the JSONPath cannot be read.
    """
    name, _, expression = (form or ("table" if sys.stdout.isatty() else "yaml")).partition("=")
    if name == "json":
        render.as_json(list(items))
    elif name == "yaml":
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        render.out(yaml.dump(list(items), Dumper=dumper, sort_keys=False, allow_unicode=True))
    elif name == "jsonpath":
        render.out(_picked(items, expression))
    else:
        table(name == "wide")


def _picked(items: Items, expression: str) -> str:
    """One value as it is, one that is not set as nothing, several as a JSON list, as odahuflowctl did."""
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    from odahu_argo.errors import UserError

    try:
        values = [match.value for match in parse(expression).find([_with_unset(each) for each in items])]
    except (JSONPathError, AttributeError, TypeError, ValueError) as error:
        hint = "an expression such as [*].spec.model.name, without kubectl's braces; quote it for the shell"
        raise UserError(f"the JSONPath {expression!r} cannot be read: {error}", hint) from error
    [value] = values if len(values) == 1 else [values]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _with_unset(item: dict[str, Any]) -> dict[str, Any]:
    """With every field of the spec that its kind has, as the models of odahuflowctl had them."""
    from odahu_argo.manifest.load import KINDS

    model: Any = KINDS.get(str(item.get("kind")))
    if model is None:
        return item
    fields = model.model_fields["spec"].annotation.model_fields
    unset = {field.alias or name: None for name, field in fields.items()}
    return {**item, "spec": {**unset, **item["spec"]}}


def age(since: str, now: str) -> str:
    """How long ago, as kubectl writes it: 45s, 12m, 5h, 9d. Empty where a time is not known."""
    from datetime import datetime

    try:
        seconds = int((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())
    except (ValueError, TypeError):
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"
