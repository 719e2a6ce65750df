"""What pydantic refuses, told as problems with file, line, field and remedy."""

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

_STAND_IN = "standin0odahu"
"""An id, a label, a path and a variable's name that nobody has."""
_STAND_INS: dict[str, type[dict[Any, Any]] | type[list[Any]]] = {
    "dict_type": dict,
    "model_type": dict,
    "model_attributes_type": dict,
    "list_type": list,
    "tuple_type": list,
}
_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_DEEPEST_MODEL = 8
_PLACEHOLDER = re.compile(r"<[^<>]+>")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-:/@]*")
_SHAPES = {
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
_REMEDIES = {"list_type": "begin each entry with `- `", "tuple_type": "begin each entry with `- `"}
MOST_PROBLEMS = 100
"""Of one document."""


class Strict(BaseModel):
    """A model that knows all its fields, cannot be changed, and takes a field left empty as one not given.

    It is made ready when it is first needed, without a look into all installed packages for plug-ins of pydantic: both would
    cost each start of a command.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        return {k: v for k, v in values.items() if v is not None} if isinstance(values, dict) else values

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """See pydantic."""
        depth = options.pop("_parent_namespace_depth", 2) + 1
        before = os.environ.get(_NO_PLUGINS)
        os.environ[_NO_PLUGINS] = "1"
        try:
            return super().model_rebuild(_parent_namespace_depth=depth, **options)
        finally:
            if before is None:
                del os.environ[_NO_PLUGINS]
            else:
                os.environ[_NO_PLUGINS] = before


class InvalidValue(ValueError):
    """A value that a model refuses, with the remedy."""

    def __init__(self, message: str, hint: str | None):
        self.hint = hint
        super().__init__(message)


def _quantity(text: str) -> str:
    quantity.amount(text)
    return text.strip()


def _count(text: str) -> str:
    return str(quantity.whole_number(text))


def _duration(text: str) -> str:
    if quantity.seconds(text) == 0:
        raise ValueError("must be longer than nothing")
    return text.strip()


def check_image(text: str) -> str:
    """The name of a container's image as it is; ValueError where it cannot be one."""
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text!r} is not a container image, such as registry.example.org/team/image:1.0")
    return text


def shaped(pattern: re.Pattern[str], says: str, may_be_empty: bool = False) -> AfterValidator:
    """Text that the whole pattern fits; of any other it is said what it is not."""

    def check(text: str) -> str:
        if not (pattern.fullmatch(text) or (may_be_empty and not text)):
            raise ValueError(f"{text!r} {says}")
        return text

    return AfterValidator(check)


Quantity = Annotated[str, AfterValidator(_quantity)]
Count = Annotated[str, AfterValidator(_count)]
Duration = Annotated[str, AfterValidator(_duration)]
Image = Annotated[str, AfterValidator(check_image)]


def validate(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The document as a `model`, or None and every problem that it has."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        details = error.errors(include_url=False)[:MOST_PROBLEMS]
        filled = [detail for detail in details if detail["type"] == "extra_forbidden" and detail["input"] is not None]
        unknown = [tuple(detail["loc"]) for detail in filled]
        misspelt = [(*path[:-1], _closest(str(path[-1]), _fields_at(model, path[:-1]))) for path in unknown]
        problems = [
            _problem(model, document, detail)
            for detail in details
            if not (detail["type"] == "missing" and tuple(detail["loc"]) in misspelt)
        ]
        if error.error_count() > MOST_PROBLEMS:
            problems.append(Problem(f"{error.error_count() - MOST_PROBLEMS} more are wrong", document.where()))
        return None, sorted(problems, key=lambda problem: problem.where.line or 0)


def salvage(model: type[M], document: Document) -> tuple[M | None, set[str]]:
    """What can be read of a document that `validate` refuses, so that mistakes in the rest of it are told at once.

    Misspelt fields are read as what they are most like, other refused fields are left out, and a stand-in takes the place of
    those that must be there. Also returns the names of all these fields.
    """
    value, aside = deepcopy(document.value), set[str]()
    for _ in range(_DEEPEST_MODEL):
        try:
            return model.model_validate(value), aside
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                aside.add(field_name(tuple(detail["loc"])))
                _put_aside(model, value, tuple(detail["loc"]), detail["type"])
    return None, aside


def further(problems: Iterable[Problem], told: Collection[str]) -> list[Problem]:
    """Those problems that are not in fields of which one is told already, or which `salvage` has put aside."""
    return [
        problem
        for problem in problems
        if not any(re.match(rf"{re.escape(field)}([.\[]|$)", problem.where.field or "") for field in told)
    ]


def _put_aside(model: type[BaseModel], value: Any, path: Path, kind: str) -> None:
    """Mend what is refused at this path, in place."""
    *above, last = path
    meant = _closest(str(last), _fields_at(model, path[:-1])) if kind == "extra_forbidden" else None
    for part in above:
        if not isinstance(value[part], dict | list):  # the path ends with pydantic's own `[key]`
            last = part
            break
        value = value[part]
    if kind in _STAND_INS:
        value[last] = _STAND_INS[kind]()
    elif kind == "missing" or isinstance(value, list):
        value[last] = _STAND_IN
    else:
        left = value.pop(last)
        if meant is not None and value.get(meant) in (None, _STAND_IN):
            value[meant] = left


def nearest(word: str, known: list[str]) -> str:
    """A hint that names the known word most like `word`, else all of them."""
    close = _closest(word, known)
    return f"did you mean {close}?" if close else f"known here: {', '.join(known) or 'nothing'}."


def _closest(word: str, known: list[str]) -> str | None:
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    close += [lowered[match] for match in difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)]
    return close[0] if close else None


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    path: Path = tuple(detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        hint = nearest(str(path[-1]), _fields_at(model, path[:-1]))
        if path == ("metadata",):
            hint = "ODAHU's manifests have `id` at the top, and no metadata"
        return Problem(f"there is no field {path[-1]!r}", document.where(path), hint)
    if kind == "missing":
        return Problem("is missing", document.where(path), f"give {path[-1]!r} a value")
    if isinstance(detail["input"], str) and (left := _PLACEHOLDER.search(without_credentials(detail["input"]))):
        return Problem(placeholder(left[0]), document.where(path))
    if kind in _SHAPES:
        return Problem(
            f"must be {_SHAPES[kind]}{_found(kind, detail['input'])}", document.where(path), _REMEDIES.get(kind)
        )
    if kind == "literal_error":
        return Problem(f"must be {detail['ctx']['expected']}", document.where(path))
    if kind == "too_long":
        return Problem(f"holds more than {detail['ctx']['max_length']} entries", document.where(path))
    if kind in ("less_than_equal", "greater_than_equal"):
        return Problem(detail["msg"].replace("Input should", "must"), document.where(path))
    remedy = getattr(detail.get("ctx", {}).get("error"), "hint", None)
    return Problem(detail["msg"].removeprefix("Value error, "), document.where(path), remedy)


def _found(kind: str, value: Any) -> str:
    """What stands there instead, where that is not plain to see."""
    if isinstance(value, dict | list):
        return ", not a mapping" if isinstance(value, dict) else ", not a list"
    return ", not text" if kind in _STAND_INS else ""


def placeholder(text: str) -> str:
    """The message for something such as `<git-connection>` that was copied from documentation and left."""
    return f"{text!r} is a placeholder of the documentation; put your own value in its place"


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """The field names, as written in files, of the model that sits at `path`."""
    current: Any = model
    for part in path:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            named = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
            current = named.get(part)
        current = _model_within(current)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_within(annotation: Any) -> Any:
    """The model inside `Model | None`, `tuple[Model, ...]` and the like; anything else as it is."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_within(argument) for argument in getattr(annotation, "__args__", ())]
    return next((a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)), annotation)
