"""Load Workflows from the output of `kubectl get -o json` or `-o yaml`: one object, a List, or several documents."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from odahu_argo import document
from odahu_argo.errors import Location, Problem, UserError

Object = dict[str, Any]

STANDARD_INPUT = Path("-")
MAX_FILE_BYTES = 32 * 1024 * 1024
"""Kubernetes limits a single object to about 1 MiB."""
_WHITESPACE = re.compile(r"\s*")
TOO_LARGE_HINT = "select fewer workflows, for example by label: kubectl get workflows -l …"


@dataclass(frozen=True, slots=True)
class LoadedWorkflows:
    """Loaded Workflows in order.

    `single` is true for one object that is not in a list; `skipped` counts objects of other kinds by description.
    """

    workflows: tuple[Object, ...]
    single: bool
    skipped: Mapping[str, int] = field(default_factory=dict)


def load_workflows(files: Iterable[Path]) -> LoadedWorkflows:
    """Load the Workflows from files, in order; `-` is standard input.

    Raises:
        UserError: a file cannot be read, is too large or is neither JSON nor YAML, or the files contain neither a Workflow
            nor a list.
    """
    documents = [(_name(file), value) for file in files for value in _parse(_read(file), _name(file))]
    workflows: list[Object] = []
    skipped: Counter[str] = Counter()
    lists = [items for _, value in documents if (items := _items(value)) is not None]
    for name, value in documents:
        items = _items(value)
        for item in [value] if items is None else items:
            if isinstance(item, dict) and _is_workflow(item):
                workflows.append(item)
            else:
                skipped[f"{name}: {_describe(item)}"] += 1
    if not workflows and (skipped or not lists):
        content = "; ".join(list(skipped)[:3]) or "the input is empty"
        raise UserError(
            f"the input contains no Workflow: {content}", "pass the output of kubectl get workflows -o json"
        )
    return LoadedWorkflows(tuple(workflows), single=len(workflows) == 1 and not lists, skipped=skipped)


def _items(value: object) -> list[object] | None:
    """Return the items of a List, or None if the value is not a List."""
    if isinstance(value, list):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(kind, str) and kind.endswith("List"):
        items = value.get("items")
        return items if isinstance(items, list) else []
    return None


def _is_workflow(value: Object) -> bool:
    """Return whether the object is a Workflow. Items of a WorkflowList from the API have no `kind`."""
    kind = value.get("kind")
    return kind == "Workflow" or (kind is None and "spec" in value and "metadata" in value)


def _describe(value: object) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
        return f"object of kind {value['kind'][:60]}"
    return (
        "object without a kind"
        if isinstance(value, Mapping)
        else f"a value of type {type(value).__name__}, not an object"
    )


def _parse(text: str, name: str) -> list[object]:
    """Parse a sequence of JSON values, or YAML documents."""
    if text.lstrip()[:1] not in ("{", "["):
        return [parsed.value for parsed in document.parse(text, name)]
    try:
        return list(_json_values(text))
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        problem = Problem(f"invalid JSON: {message}", Location(name, line))
    except RecursionError:
        raise UserError(Problem("nested too deeply", Location(name))) from None
    try:
        return [parsed.value for parsed in document.parse(text, name)]
    except UserError:
        raise UserError(problem) from None


def _json_values(text: str) -> Iterator[object]:
    decoder, position = json.JSONDecoder(), _skip_whitespace(text, 0)
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        yield value
        position = _skip_whitespace(text, end)


def _skip_whitespace(text: str, position: int) -> int:
    match = _WHITESPACE.match(text, position)
    return match.end() if match else position


def _read(file: Path) -> str:
    name = _name(file)
    try:
        raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if file == STANDARD_INPUT else _read_bytes(file)
        if len(raw) > MAX_FILE_BYTES:
            raise UserError(Problem(f"larger than {MAX_FILE_BYTES // 1024**2} MiB", Location(name), TOO_LARGE_HINT))
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(Problem("not UTF-8 text", Location(name))) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(Problem(f"cannot read the file: {reason}", Location(name))) from error


def _read_bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)


def _name(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)
