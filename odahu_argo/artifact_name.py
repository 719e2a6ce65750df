"""Rendering of `artifactNameTemplate`. Planning checks the template; packaging renders it.

Templates have the syntax of Go's text/template, as in ODAHU-flow, with three fields: `{{ .Name }}`, `{{ .Version }}` and
`{{ .RandomUUID }}`. Trim markers (`{{- .Name -}}`) remove adjacent white space, as in Go. Pipelines, functions, conditions
and comments are rejected, so a template can neither execute code nor produce unbounded output.
"""

from __future__ import annotations

import re

from odahu_argo.errors import Problem, UserError

DEFAULT_TEMPLATE = "{{ .Name }}-{{ .Version }}-{{ .RandomUUID }}.zip"
FIELDS = ("Name", "Version", "RandomUUID")
MAX_TEMPLATE_LENGTH = 1000
MAX_NAME_BYTES = 255
"""Limit of common file systems."""

_ACTION = re.compile(r"\{\{(?P<left>-\s)?\s*\.(?P<field>\w+)\s*(?P<right>\s-)?\}\}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=-]*")
_EXAMPLE_UUID = "00000000-0000-4000-8000-000000000000"


def render(template: str, name: str, version: str, random_uuid: str) -> str:
    """Return the file name of the artifact.

    Raises:
        UserError: the template contains anything but text and the three fields, or the result is not a safe file name.
    """
    if len(template) > MAX_TEMPLATE_LENGTH:
        reason = f"it has {len(template)} characters; the limit is {MAX_TEMPLATE_LENGTH}"
        raise _invalid(template, reason, "shorten it")
    values = {"Name": name, "Version": version, "RandomUUID": random_uuid}
    rendered = ""
    position = 0
    trim_next = False
    for action in _ACTION.finditer(template):
        text = template[position : action.start()]
        rendered += _literal(template, text, trim_left=trim_next, trim_right=bool(action["left"]))
        if action["field"] not in values:
            raise _invalid(template, f"unknown field .{action['field']}")
        rendered += values[action["field"]]
        position, trim_next = action.end(), bool(action["right"])
    rendered += _literal(template, template[position:], trim_left=trim_next, trim_right=False)
    _require_safe_file_name(template, rendered)
    return rendered


def check(template: str, name: str, version: str) -> None:
    """Validate a template.

    Raises:
        UserError: `render` would raise it.
    """
    render(template, name, version, _EXAMPLE_UUID)


def preview(template: str, name: str, version: str) -> str:
    """Return the file name with `<random UUID>` instead of the random part."""
    return render(template, name, version, _EXAMPLE_UUID).replace(_EXAMPLE_UUID, "<random UUID>")


def directory_name(name: str) -> str:
    """Return the name of the directory with the files of an artifact: its name without `.zip`, as in odahuflowctl."""
    return name.removesuffix(".zip") or name


def _literal(template: str, text: str, trim_left: bool, trim_right: bool) -> str:
    if "{{" in text or "}}" in text:
        raise _invalid(template, "only plain text and fields are allowed")
    text = text.lstrip() if trim_left else text
    return text.rstrip() if trim_right else text


def _require_safe_file_name(template: str, name: str) -> None:
    if not _SAFE_NAME.fullmatch(name):
        raise _invalid(
            template,
            f"the result {name!r} is not a safe file name",
            "use only letters, digits and . _ - + @ =, starting with a letter or digit",
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _invalid(
            template, f"the result has {len(name.encode())} bytes; the limit is {MAX_NAME_BYTES}", "shorten it"
        )


def _invalid(template: str, reason: str, hint: str | None = None) -> UserError:
    quoted = template if len(template) <= 120 else template[:117] + "..."
    fields = ", ".join(f"{{{{ .{field} }}}}" for field in FIELDS)
    return UserError(
        Problem(f"invalid artifactNameTemplate {quoted!r}: {reason}", hint=hint or f"the available fields are {fields}")
    )
