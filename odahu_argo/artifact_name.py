"""`artifactNameTemplate`: checked when planning, rendered when packaging.

The template is Go's text/template syntax as ODAHU-flow used it, with three fields: `{{ .Name }}`, `{{ .Version }}` and
`{{ .RandomUUID }}`. Trim markers (`{{- .Name -}}`) take away the white space beside them, as in Go. Nothing else of Go's
language is accepted: no pipelines, functions, conditions or comments, so a template cannot run anything or grow.
"""

from __future__ import annotations

import re

from odahu_argo.errors import Problem, UserError

DEFAULT_TEMPLATE = "{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip"
FIELDS = ("Name", "Version", "RandomUUID")
LONGEST_TEMPLATE = 1000
LONGEST_NAME = 255
"""Bytes; the longest file name of common file systems."""

_ACTION = re.compile(r"\{\{(?P<left>-\s)?\s*\.(?P<field>\w+)\s*(?P<right>\s-)?\}\}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=-]*")
_EXAMPLE_UUID = "00000000-0000-4000-8000-000000000000"


def render(template: str, name: str, version: str, random_uuid: str) -> str:
    """The artifact's file name.

    Raises:
        UserError: the template uses anything but the three fields, or the result is not a safe file name.
    """
    if len(template) > LONGEST_TEMPLATE:
        reason = f"it has {len(template)} characters; {LONGEST_TEMPLATE} are allowed"
        raise _unusable(template, reason, "shorten it")
    values = {"Name": name, "Version": version, "RandomUUID": random_uuid}
    rendered = ""
    position = 0
    trim_next = False
    for action in _ACTION.finditer(template):
        text = template[position : action.start()]
        rendered += _literal(template, text, trim_left=trim_next, trim_right=bool(action["left"]))
        if action["field"] not in values:
            raise _unusable(template, f"no field is called .{action['field']}")
        rendered += values[action["field"]]
        position, trim_next = action.end(), bool(action["right"])
    rendered += _literal(template, template[position:], trim_left=trim_next, trim_right=False)
    _require_safe_file_name(template, rendered)
    return rendered


def check(template: str, name: str, version: str) -> None:
    """Raises UserError where `render` would, without drawing a random UUID."""
    render(template, name, version, _EXAMPLE_UUID)


def preview(template: str, name: str, version: str) -> str:
    """The name as it can be told beforehand, with `<random UUID>` where one will be drawn."""
    return render(template, name, version, _EXAMPLE_UUID).replace(_EXAMPLE_UUID, "<random UUID>")


def _literal(template: str, text: str, trim_left: bool, trim_right: bool) -> str:
    if "{{" in text or "}}" in text:
        raise _unusable(template, "it holds more than plain text and fields")
    text = text.lstrip() if trim_left else text
    return text.rstrip() if trim_right else text


def _require_safe_file_name(template: str, name: str) -> None:
    if not _SAFE_NAME.fullmatch(name):
        raise _unusable(
            template,
            f"it gives {name!r}, which is not a safe file name",
            "use letters, digits and . _ - + @ = only, beginning with a letter or digit",
        )
    if len(name.encode()) > LONGEST_NAME:
        raise _unusable(
            template, f"the name would have {len(name.encode())} bytes; {LONGEST_NAME} are allowed", "shorten it"
        )


def _unusable(template: str, reason: str, hint: str | None = None) -> UserError:
    shown = template if len(template) <= 120 else template[:117] + "..."
    fields = ", ".join(f"{{{{ .{field} }}}}" for field in FIELDS)
    return UserError(
        Problem(f"artifactNameTemplate {shown!r} cannot be used: {reason}", hint=hint or f"the fields are {fields}")
    )
