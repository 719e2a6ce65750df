"""What pydantic refuses, told as problems with file, line, field and remedy."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from odahu_argo import quantity
from odahu_argo.document import Document, Path
from odahu_argo.errors import Problem

M = TypeVar("M", bound=BaseModel)

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


class Strict(BaseModel):
    """A model that knows all its fields, cannot be changed, and takes a field left empty as one not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        return {k: v for k, v in values.items() if v is not None} if isinstance(values, dict) else values


class Refused(ValueError):
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


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text!r} is not a container image, such as registry.example.org/team/image:1.0")
    return text


Quantity = Annotated[str, AfterValidator(_quantity)]
Count = Annotated[str, AfterValidator(_count)]
Duration = Annotated[str, AfterValidator(_duration)]
Image = Annotated[str, AfterValidator(_image)]


def validate(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The document as a `model`, or None and every problem that it has."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        problems = [_problem(model, document, detail) for detail in error.errors(include_url=False)]
        return None, sorted(problems, key=lambda problem: problem.where.line or 0)


def nearest(word: str, known: list[str]) -> str:
    """A hint that names the known word most like `word`, else all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        lowered = {name.lower(): name for name in known}
        close = [lowered[match] for match in difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)]
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known) or 'nothing'}."


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
    if kind in _SHAPES:
        return Problem(f"must be {_SHAPES[kind]}", document.where(path))
    if kind == "literal_error":
        return Problem(f"must be {detail['ctx']['expected']}", document.where(path))
    if kind in ("less_than_equal", "greater_than_equal"):
        return Problem(detail["msg"].replace("Input should", "must"), document.where(path))
    remedy = getattr(detail.get("ctx", {}).get("error"), "hint", None)
    return Problem(detail["msg"].removeprefix("Value error, "), document.where(path), remedy)


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
