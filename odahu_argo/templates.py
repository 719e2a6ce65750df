"""The text files under templates/, filled in: what an operator applies or reads, and pages, never Argo's own YAML."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parent
_FOLDERS = [_PACKAGE / "_templates", _PACKAGE.parent / "templates"]
"""In an installed wheel, and in a checkout."""


def fill(name: str, **values: object) -> str:
    """The template `name` with these values; a value that it names and is not given is an error of the program."""
    return environment(autoescape=False).get_template(name).render(**values)


def environment(autoescape: bool) -> Environment:
    """What finds templates by their names. HTML needs `autoescape`; what goes into anything else must not have it."""
    return Environment(
        loader=FileSystemLoader(_FOLDERS),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=autoescape,
        trim_blocks=autoescape,
        lstrip_blocks=autoescape,
    )


def folder(name: str) -> Path:
    """The folder of that name under templates/, where it lies."""
    return next(found for found in (each / name for each in _FOLDERS) if found.is_dir())


def read(name: str) -> str:
    """The text of a file under templates/ as it is."""
    return next(file for file in (each / name for each in _FOLDERS) if file.is_file()).read_text(encoding="utf-8")
