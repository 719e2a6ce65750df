"""What a user has set for good: a file in the form of odahuflowctl's, which stands behind options and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from odahu_argo.errors import Problem, UserError, Where

if TYPE_CHECKING:
    from configparser import ConfigParser

FILE_VARIABLE = "ODAHU_ARGO_CONFIG"
SECTION = "general"


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting, and the environment variable that takes precedence over it."""

    name: str
    purpose: str
    environment: str = ""
    is_path: bool = False
    is_secret: bool = False


VARIABLES = (
    Variable("NAMESPACE", "The namespace where trainings run", "ODAHU_ARGO_NAMESPACE"),
    Variable("CONTEXT", "The kubeconfig's context to use", "ODAHU_ARGO_CONTEXT"),
    Variable("PROFILE", "The site's settings, a YAML file", "ODAHU_ARGO_PROFILE", is_path=True),
    Variable("API_URL", "URL of API server", "ODAHU_ARGO_API_URL"),
    Variable("API_TOKEN", "API authorization token", "ODAHU_ARGO_API_TOKEN", is_secret=True),
    Variable("LOCAL_MODEL_OUTPUT_DIR", "Directory where model artifacts will be saved", is_path=True),
)


def path() -> Path:
    """The file that `ODAHU_ARGO_CONFIG` names, else `~/.odahu-argo/config`. It need not exist."""
    return Path(os.environ.get(FILE_VARIABLE) or Path.home() / ".odahu-argo" / "config").expanduser()


def read() -> dict[str, str]:
    """What is set, by the variables' names.

    Raises:
        UserError: the file cannot be read, or holds an unknown name.
    """
    text = _text()
    if not text:
        return {}
    held = _parse(text)
    found = {name.upper(): value for name, value in held[SECTION].items()} if SECTION in held else {}
    for name in found:
        find(name)
    return {name: value for name, value in found.items() if value}


def write(name: str, value: str) -> None:
    """Set a variable; an empty value takes it out. Nobody else may read the file.

    Raises:
        UserError: the file cannot be read or written, or the value is none that the variable can have.
    """
    if value and name == "API_URL":
        from odahu_argo.backends.remote_client import read_address

        read_address(value)
    read()
    held = _parse(_text())
    if SECTION not in held:
        held.add_section(SECTION)
    if value:
        held[SECTION][name] = str(Path(value).expanduser().absolute()) if find(name).is_path else value
    else:
        held.remove_option(SECTION, name)
    file = path()
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:  # noqa: PTH123
            held.write(stream)
        partial.replace(file)
    except OSError as error:
        raise UserError(Problem(f"cannot be written: {error.strerror}", Where(str(file)))) from error


def find(name: str) -> Variable:
    """The variable of that name, in capitals or not.

    Raises:
        UserError: there is none.
    """
    known = {each.name: each for each in VARIABLES}
    if name.upper() not in known:
        hint = f"there are {', '.join(known)}; docs/guides/migrating.md tells what became of odahuflowctl's others"
        raise UserError(f"Variable {name.upper()!r} is unknown", hint)
    return known[name.upper()]


def saved_value(name: str) -> str | None:
    """Return the saved value of a setting, or None.

    Raises:
        UserError: The file cannot be read or contains an unknown setting.
    """
    return read().get(name)


def _text() -> str:
    """What the file holds; nothing where there is none."""
    file = path()
    try:
        return file.read_text(encoding="utf-8") if file.exists() else ""
    except UnicodeDecodeError as error:
        raise _no_configuration(error) from error
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror}", Where(str(file)))) from error


def _parse(text: str) -> ConfigParser:
    from configparser import ConfigParser, Error

    held = ConfigParser(interpolation=None)
    try:
        held.read_string(text, str(path()))
    except Error as error:
        raise _no_configuration(error) from error
    return held


def _no_configuration(error: Exception) -> UserError:
    return UserError(Problem(f"is no configuration: {error}", Where(str(path())), "mend or remove it"))
