"""Workflows as `kubectl get -o json` or `-o yaml` prints them: one, a List of them, several documents."""

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
from odahu_argo.errors import Problem, UserError, Where

Object = dict[str, Any]

STANDARD_INPUT = Path("-")
LARGEST_FILE = 32 * 1024 * 1024
"""Bytes. Kubernetes takes no object much over one MiB."""
_BLANKS = re.compile(r"\s*")
TOO_LARGE_HINT = "give fewer workflows at a time, for example those of one label: kubectl get workflows -l …"


@dataclass(frozen=True, slots=True)
class Workflows:
    """What was found. `single` says that it was one object, not a list of one; `skipped` counts what is no Workflow."""

    found: tuple[Object, ...]
    single: bool
    skipped: Mapping[str, int] = field(default_factory=dict)


def read_workflows(files: Iterable[Path]) -> Workflows:
    """The Workflows in files and, for `-`, on standard input, in their order.

    Raises:
        UserError: a file cannot be read, is too large, is neither JSON nor YAML, or there is no Workflow and no list in them.
    """
    documents = [(_name(file), value) for file in files for value in _values(_text(file), _name(file))]
    found: list[Object] = []
    skipped: Counter[str] = Counter()
    lists = [items for _, value in documents if (items := _items(value)) is not None]
    for name, value in documents:
        items = _items(value)
        for item in [value] if items is None else items:
            if isinstance(item, dict) and _is_workflow(item):
                found.append(item)
            else:
                skipped[f"{name}: {_called(item)}"] += 1
    if not found and (skipped or not lists):
        what = "; ".join(list(skipped)[:3]) or "nothing is given"
        raise UserError(f"no Workflow is there: {what}", "kubectl get workflows -o json prints what is read here")
    return Workflows(tuple(found), single=len(found) == 1 and not lists, skipped=skipped)


def _items(value: object) -> list[object] | None:
    """The items of a List; None for what is none."""
    if isinstance(value, list):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(kind, str) and kind.endswith("List"):
        items = value.get("items")
        return items if isinstance(items, list) else []
    return None


def _is_workflow(value: Object) -> bool:
    """Items of a WorkflowList as the API gives it have no kind of their own."""
    kind = value.get("kind")
    return kind == "Workflow" or (kind is None and "spec" in value and "metadata" in value)


def _called(value: object) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
        return f"a {value['kind'][:60]}"
    return "an object without a kind" if isinstance(value, Mapping) else f"a {type(value).__name__}, not an object"


def _values(text: str, name: str) -> list[object]:
    """JSON where it is JSON, one value after the other; else YAML."""
    if text.lstrip()[:1] not in ("{", "["):
        return [found.value for found in document.parse(text, name)]
    try:
        return list(_json_values(text))
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        problem = Problem(f"not valid JSON: {what}", Where(name, line))
    except RecursionError:
        raise UserError(Problem("nested too deep to be a Workflow", Where(name))) from None
    try:
        return [found.value for found in document.parse(text, name)]
    except UserError:
        raise UserError(problem) from None


def _json_values(text: str) -> Iterator[object]:
    decoder, position = json.JSONDecoder(), _after_blanks(text, 0)
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        yield value
        position = _after_blanks(text, end)


def _after_blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def _text(file: Path) -> str:
    name = _name(file)
    try:
        raw = sys.stdin.buffer.read(LARGEST_FILE + 1) if file == STANDARD_INPUT else _bytes(file)
        if len(raw) > LARGEST_FILE:
            raise UserError(Problem(f"is larger than {LARGEST_FILE // 1024**2} MiB", Where(name), TOO_LARGE_HINT))
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(Problem("is not UTF-8 text", Where(name))) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(Problem(f"cannot be read: {reason}", Where(name))) from error


def _bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST_FILE + 1)


def _name(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)
