"""The text files under templates/, filled in: what an operator applies or reads, never Argo's own YAML."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parent
_FOLDERS = [_PACKAGE / "_templates", _PACKAGE.parent / "templates"]
"""In an installed wheel, and in a checkout."""


def fill(name: str, **values: object) -> str:
    """The template `name` with these values; a value that it names and is not given is an error of the program."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDERS), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.get_template(name).render(**values)
