"""Text templates in templates/: installation manifests and web pages, never Argo workflows."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parent
_DIRECTORIES = [_PACKAGE / "_templates", _PACKAGE.parent / "templates"]
"""Location in an installed wheel, and in a checkout."""


def render(name: str, **values: object) -> str:
    """Render the template `name` without escaping.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not passed.
    """
    return environment(autoescape=False).get_template(name).render(**values)


def environment(autoescape: bool) -> Environment:
    """Return a jinja2 environment for the templates. HTML requires `autoescape`; other formats must not use it."""
    return Environment(
        loader=FileSystemLoader(_DIRECTORIES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=autoescape,  # noqa: S701  # see the docstring
        trim_blocks=autoescape,
        lstrip_blocks=autoescape,
    )


def find_directory(name: str) -> Path:
    """Return the path of a directory in templates/."""
    return next(path for path in (directory / name for directory in _DIRECTORIES) if path.is_dir())


def read(name: str) -> str:
    """Return the content of a file in templates/."""
    return next(path for path in (directory / name for directory in _DIRECTORIES) if path.is_file()).read_text("utf-8")
