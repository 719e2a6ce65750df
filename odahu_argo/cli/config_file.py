"""The file of saved settings, in the format of odahuflowctl. Options and environment variables take precedence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.errors import Location, Problem, UserError

if TYPE_CHECKING:
    from configparser import ConfigParser

FILE_VARIABLE = "ODAHU_ARGO_CONFIG"
SECTION = "general"


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting, and the environment variable that takes precedence over it."""

    name: str
    description: str
    environment: str = ""
    is_path: bool = False
    is_secret: bool = False


VARIABLES = (
    Variable("NAMESPACE", "The namespace where trainings run", "ODAHU_ARGO_NAMESPACE"),
    Variable("CONTEXT", "The kubeconfig's context to use", "ODAHU_ARGO_CONTEXT"),
    Variable("PROFILE", "The site's settings, a YAML file", "ODAHU_ARGO_PROFILE", is_path=True),
    Variable("API_URL", "URL of API server", "ODAHU_ARGO_API_URL"),
    Variable("API_TOKEN", "API authorization token", "ODAHU_ARGO_API_TOKEN", is_secret=True),
    Variable(
        "LOCAL_MODEL_OUTPUT_DIR",
        "Directory where model artifacts will be saved",
        "LOCAL_MODEL_OUTPUT_DIR",
        is_path=True,
    ),
)


def path() -> Path:
    """Return the path in `ODAHU_ARGO_CONFIG`, else `~/.odahu-argo/config`. The file may not exist."""
    return Path(os.environ.get(FILE_VARIABLE) or Path.home() / ".odahu-argo" / "config").expanduser()


def read() -> dict[str, str]:
    """Return the saved settings by name.

    Raises:
        UserError: The file cannot be read or contains an unknown setting.
    """
    text = _text()
    if not text:
        return {}
    parser = _parse(text)
    settings = {name.upper(): value for name, value in parser[SECTION].items()} if SECTION in parser else {}
    for name in settings:
        find(name)
    return {name: value for name, value in settings.items() if value}


def write(name: str, value: str) -> None:
    """Save a setting, or remove it if the value is empty. The file is readable by its owner only.

    Raises:
        UserError: The file cannot be read or written, or the value is invalid.
    """
    if value and name == "API_URL":
        from odahu_argo.backends.remote_client import parse_server_url

        parse_server_url(value)
    read()
    parser = _parse(_text())
    if SECTION not in parser:
        parser.add_section(SECTION)
    if value:
        parser[SECTION][name] = str(Path(value).expanduser().absolute()) if find(name).is_path else value
    else:
        parser.remove_option(SECTION, name)
    file = path()
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:  # noqa: PTH123
            parser.write(stream)
        partial.replace(file)
    except OSError as error:
        raise UserError(Problem(f"cannot be written: {error.strerror}", Location(str(file)))) from error


def find(name: str) -> Variable:
    """Return the setting of that name; case is ignored.

    Raises:
        UserError: It does not exist.
    """
    variables = {variable.name: variable for variable in VARIABLES}
    if name.upper() not in variables:
        hint = f"known settings: {', '.join(variables)}; docs/guides/migrating.md lists those of odahuflowctl"
        raise UserError(f"Variable {name.upper()!r} is unknown", hint)
    return variables[name.upper()]


def saved_value(name: str) -> str | None:
    """Return the saved value of a setting, or None.

    Raises:
        UserError: The file cannot be read or contains an unknown setting.
    """
    return read().get(name)


def _text() -> str:
    """Return the content of the file, or an empty text if it does not exist."""
    file = path()
    try:
        return file.read_text(encoding="utf-8") if file.exists() else ""
    except UnicodeDecodeError as error:
        raise _malformed(error) from error
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror}", Location(str(file)))) from error


def _parse(text: str) -> ConfigParser:
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text, str(path()))
    except Error as error:
        raise _malformed(error) from error
    return parser


def _malformed(error: Exception) -> UserError:
    return UserError(Problem(f"malformed settings file: {error}", Location(str(path())), "fix or remove the file"))
