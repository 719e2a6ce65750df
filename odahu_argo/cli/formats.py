"""Output formats of resources: table, JSON, YAML or a JSONPath."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from odahu_argo.cli import render

Items = Sequence[dict[str, Any]]
FORMATS = ("table", "wide", "json", "yaml", "jsonpath=EXPRESSION")
CHANGES_FORMATS = ("changes", *FORMATS)


def _check_format(form: str | None) -> str | None:
    return render.set_format(form if form is None else _one_of(FORMATS, form))


def _check_changes_format(form: str) -> str:
    return render.set_format(_one_of(CHANGES_FORMATS, form))


def _one_of(forms: Sequence[str], form: str) -> str:
    if form.partition("=")[0] not in [name.partition("=")[0] for name in forms]:
        raise typer.BadParameter(f"{form!r} is not one of {', '.join(forms)}")
    return form


OutputFormat = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        "--format",
        "--output-format",
        metavar="|".join(FORMATS),
        callback=_check_format,
        help="Output format. Defaults to a table on a terminal and YAML otherwise, as in odahuflowctl.",
    ),
]

ChangesFormat = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        "--format",
        "--output-format",
        metavar="|".join(CHANGES_FORMATS),
        callback=_check_changes_format,
        help="Print a line per change, or the resulting resources.",
    ),
]


def show(items: Items, form: str | None, table: Callable[[bool], None]) -> None:
    """Print the items in the format. `table` prints a table; its argument selects the wide one.

    JSON and YAML are always lists, and a JSONPath is applied to that list, as in odahuflowctl.

    Raises:
        UserError: The JSONPath is malformed.
    """
    name, _, expression = (form or ("table" if sys.stdout.isatty() else "yaml")).partition("=")
    if name == "json":
        render.as_json(list(items))
    elif name == "yaml":
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        render.data(yaml.dump(list(items), Dumper=dumper, sort_keys=False, allow_unicode=True))
    elif name == "jsonpath":
        render.data(_evaluate(items, expression))
    else:
        table(name == "wide")


def _evaluate(items: Items, expression: str) -> str:
    """Return a single value as text, an unset one as an empty text, several as a JSON list, as in odahuflowctl."""
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    from odahu_argo.errors import UserError

    try:
        values = [match.value for match in parse(expression).find([_with_unset(item) for item in items])]
    except (JSONPathError, AttributeError, TypeError, ValueError) as error:
        hint = "use an expression such as '[*].spec.model.name', quoted, without kubectl's braces"
        raise UserError(f"the JSONPath {expression!r} is malformed: {error}", hint) from error
    [value] = values if len(values) == 1 else [values]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _with_unset(item: dict[str, Any]) -> dict[str, Any]:
    """Add the unset fields of the spec as null, as the models of odahuflowctl have them."""
    from odahu_argo.manifest.load import KINDS

    model: Any = KINDS.get(str(item.get("kind")))
    if model is None:
        return item
    fields = model.model_fields["spec"].annotation.model_fields
    unset = {field.alias or name: None for name, field in fields.items()}
    return {**item, "spec": {**unset, **item["spec"]}}


def age(since: str, now: str) -> str:
    """Return the time between two timestamps as kubectl prints it: 45s, 12m, 5h, 9d. Empty if one is unknown."""
    from datetime import datetime

    try:
        seconds = int((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())
    except (ValueError, TypeError):
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"
