"""Validation of documents with pydantic. Errors become problems with file, line, field and hint."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable
from copy import deepcopy
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from odahu_argo import quantity
from odahu_argo.document import Document, field_name
from odahu_argo.errors import Problem
from odahu_argo.uri import without_credentials
from odahu_argo.yaml_values import Path

M = TypeVar("M", bound=BaseModel)

_PLACEHOLDER_VALUE = "standin0odahu"
"""Valid as an ID, label, path and variable name, and not used by anybody."""
_EMPTY_COLLECTIONS: dict[str, type[dict[Any, Any]] | type[list[Any]]] = {
    "dict_type": dict,
    "model_type": dict,
    "model_attributes_type": dict,
    "list_type": list,
    "tuple_type": list,
}
_DISABLE_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_MAX_MODEL_DEPTH = 8
_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>/]*[A-Za-z0-9]>")
_DECIMALS = re.compile(r"\d+[A-Za-z]{0,2}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-:/@]*")
_TYPE_NAMES = {
    "string_type": "text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
}
_TYPE_HINTS = {"list_type": "start each entry with `- `", "tuple_type": "start each entry with `- `"}
MAX_PROBLEMS = 100
"""Limit on the problems of one document."""


class Strict(BaseModel):
    """Base model: immutable, rejects unknown fields even if they are empty, and treats an empty field as missing.

    The validator is built on first use and without pydantic plug-ins, to keep the start of commands fast.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict) or None not in values.values():
            return values
        names = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in values.items() if value is not None or key not in names}

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the validator with pydantic plug-ins disabled: searching all installed packages for them is slow."""
        depth = options.pop("_parent_namespace_depth", 2) + 1
        previous = os.environ.get(_DISABLE_PLUGINS)
        os.environ[_DISABLE_PLUGINS] = "1"
        try:
            return super().model_rebuild(_parent_namespace_depth=depth, **options)
        finally:
            if previous is None:
                del os.environ[_DISABLE_PLUGINS]
            else:
                os.environ[_DISABLE_PLUGINS] = previous


class InvalidValue(ValueError):
    """Invalid value with a hint."""

    def __init__(self, message: str, hint: str | None):
        self.hint = hint
        super().__init__(message)


def _count(text: str) -> str:
    return str(quantity.whole_number(text))


def check_duration(text: str) -> str:
    """Return a duration without surrounding spaces.

    Raises:
        ValueError: the text is not a duration, or not between 1s and 3650d.
    """
    if quantity.seconds(text) == 0:
        raise ValueError("must be longer than 0s")
    if quantity.seconds(text) > quantity.MAX_DAYS * 86400:
        raise ValueError(f"{text} is longer than {quantity.MAX_DAYS}d")
    return text.strip()


def check_image(text: str) -> str:
    """Return the name of a container image unchanged.

    Raises:
        ValueError: the name is not valid.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid container image; write for example registry.example.org/team/image:1.0"
        )
    return text


def matching(pattern: re.Pattern[str], message: str, may_be_empty: bool = False) -> AfterValidator:
    """Return a validator for text that matches the whole pattern. The error is the text followed by `message`."""

    def check(text: str) -> str:
        if not (pattern.fullmatch(text) or (may_be_empty and not text)):
            raise ValueError(f"{text!r} {message}")
        return text

    return AfterValidator(check)


CpuAmount = Annotated[str, AfterValidator(quantity.check_cpus)]
MemoryAmount = Annotated[str, AfterValidator(quantity.check_bytes)]
Count = Annotated[str, AfterValidator(_count)]
Duration = Annotated[str, AfterValidator(check_duration)]
Image = Annotated[str, AfterValidator(check_image)]


def validate(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """Validate a document against a model. Return None and all problems if it is invalid."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_PROBLEMS]
        unknown = [
            tuple(detail["loc"])
            for detail in details
            if detail["type"] == "extra_forbidden" and detail["input"] is not None
        ]
        misspelled = [(*path[:-1], closest(str(path[-1]), fields_at(model, path[:-1]))) for path in unknown]
        problems = [
            _problem(model, document, detail)
            for detail in details
            if not (detail["type"] == "missing" and tuple(detail["loc"]) in misspelled)
        ]
        if error.error_count() > MAX_PROBLEMS:
            problems.append(Problem(f"and {error.error_count() - MAX_PROBLEMS} more problems", document.location()))
        return None, sorted(problems, key=lambda problem: problem.location.line or 0)


def validate_partially(model: type[M], document: Document) -> tuple[M | None, set[str]]:
    """Return the valid part of an invalid document, so that later checks can report further problems in it.

    Misspelled fields count as the most similar field, other invalid fields are removed, and required fields get a
    placeholder. Also returns the names of all these fields.
    """
    value, replaced = deepcopy(document.value), set[str]()
    for _ in range(_MAX_MODEL_DEPTH):
        try:
            return model.model_validate(value), replaced
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                replaced.add(field_name(tuple(detail["loc"])))
                _replace_invalid(model, value, tuple(detail["loc"]), detail["type"])
    return None, replaced


def exclude_reported(problems: Iterable[Problem], reported: Collection[str]) -> list[Problem]:
    """Return the problems outside of `reported` fields, whose problems are known or which `validate_partially` replaced."""
    return [
        problem
        for problem in problems
        if not any(re.match(rf"{re.escape(field)}([.\[]|$)", problem.location.field or "") for field in reported)
    ]


def _replace_invalid(model: type[BaseModel], value: Any, path: Path, kind: str) -> None:
    """Replace or remove the invalid value at this path, in place."""
    *parents, last = path
    intended = closest(str(last), fields_at(model, path[:-1])) if kind == "extra_forbidden" else None
    for part in parents:
        if not isinstance(value[part], dict | list):  # pydantic ends the path with `[key]`
            last = part
            break
        value = value[part]
    if kind in _EMPTY_COLLECTIONS:
        value[last] = _EMPTY_COLLECTIONS[kind]()
    elif kind == "missing" or isinstance(value, list):
        value[last] = _PLACEHOLDER_VALUE
    else:
        removed = value.pop(last)
        if intended is not None and value.get(intended) in (None, _PLACEHOLDER_VALUE):
            value[intended] = removed


def suggest(name: str, names: list[str]) -> str:
    """Return a hint with the most similar of `names`, or with all of them."""
    close = closest(name, names)
    return f"did you mean {close}?" if close else f"available: {', '.join(names) or 'none'}."


def closest(name: str, names: list[str]) -> str | None:
    """Return the most similar of `names`, or None if none is similar."""
    lowercase = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    close += [lowercase[match] for match in difflib.get_close_matches(name.lower(), lowercase, n=1, cutoff=0.6)]
    return close[0] if close else None


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    path: Path = tuple(detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        field_hint = comma_hint(document, path) or suggest(str(path[-1]), fields_at(model, path[:-1]))
        if path == ("metadata",):
            field_hint = "ODAHU manifests have no metadata; set `id` at the top level"
        return Problem(f"unknown field {path[-1]!r}", document.location(path), field_hint)
    if kind == "missing":
        return Problem("required field is missing", document.location(path), f"set {path[-1]}")
    if isinstance(detail["input"], str) and (placeholder := find_placeholder(without_credentials(detail["input"]))):
        return Problem(placeholder_message(placeholder), document.location(path))
    if kind in _TYPE_NAMES:
        return Problem(
            f"must be {_TYPE_NAMES[kind]}{_actual_type(kind, detail['input'])}",
            document.location(path),
            _TYPE_HINTS.get(kind),
        )
    if kind == "literal_error":
        return Problem(f"must be {detail['ctx']['expected']}", document.location(path))
    if kind == "too_long":
        return Problem(f"must have at most {detail['ctx']['max_length']} entries", document.location(path))
    if kind in ("less_than_equal", "greater_than_equal"):
        return Problem(detail["msg"].replace("Input should", "must"), document.location(path))
    hint = getattr(detail.get("ctx", {}).get("error"), "hint", None)
    return Problem(detail["msg"].removeprefix("Value error, "), document.location(path), hint)


def comma_hint(document: Document, path: Path) -> str | None:
    """Return a hint if the field is the end of a number with a comma: YAML reads `{cpu: 1,5}` as two fields."""
    siblings = _value_at(document.value, path[:-1])
    if (
        not isinstance(siblings, dict)
        or siblings.get(path[-1], "") is not None
        or not _DECIMALS.fullmatch(str(path[-1]))
    ):
        return None
    names = list(siblings)
    previous = siblings[names[max(0, names.index(path[-1]) - 1)]]
    if not isinstance(previous, str) or not previous.isdecimal():
        return None
    return f"YAML reads {previous},{path[-1]} as two fields; did you mean {previous}.{path[-1]}?"


def _value_at(value: Any, path: Path) -> Any:
    """Return the value at a path, or None if it does not exist."""
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return None
    return value


def _actual_type(kind: str, value: Any) -> str:
    """Return the actual type of an invalid value, if it is not obvious."""
    if isinstance(value, dict | list):
        return ", not a mapping" if isinstance(value, dict) else ", not a list"
    return ", not text" if kind in _EMPTY_COLLECTIONS else ""


def find_placeholder(text: str) -> str | None:
    """Return the first placeholder such as `<git-connection>` in a text. HTML tags such as `<i>` are none."""
    match = _PLACEHOLDER.search(text)
    return match[0] if match and "</" not in text else None


def placeholder_message(text: str) -> str:
    """Return the message for a placeholder such as `<git-connection>` that was copied from documentation."""
    return f"{text!r} is a placeholder from the documentation; replace it with your own value"


def fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the names of the fields of the model at `path`, as in files."""
    current: Any = model
    for part in path:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            annotations = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
            current = annotations.get(part)
        current = _model_within(current)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_within(annotation: Any) -> Any:
    """Return the model in types such as `Model | None` and `tuple[Model, ...]`; any other type unchanged."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_within(argument) for argument in getattr(annotation, "__args__", ())]
    return next((item for item in inner if isinstance(item, type) and issubclass(item, BaseModel)), annotation)
