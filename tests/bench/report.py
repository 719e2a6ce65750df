"""The rows as Markdown: one table with what is asked for, and one for each row with all that was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.figures import Bar, Growth, Row, Spread
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ROOT / "docs" / "benchmarks.json"
BEGIN, END = "<!-- What follows is written by `make bench`. -->\n", "<!-- That was written by `make bench`. -->\n"


def load(file: Path = FIGURES) -> dict[str, Any]:
    """What earlier runs have found: `rows`, `growth` and the `machine` of each, by key."""
    return json.loads(file.read_text()) if file.is_file() else {"rows": {}, "growth": {}}


def keep(found: Row | Sequence[Growth], key: str, machine: str, file: Path = FIGURES) -> dict[str, Any]:
    """Put a result in the place of the earlier one, whole or not at all."""
    data = load(file)
    if isinstance(found, Row):
        data["rows"][key] = {"machine": machine, "row": found.as_data()}
    else:
        data["growth"] = {"machine": machine, "lines": [asdict(each) for each in found]}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    partial.replace(file)
    return data


def write(data: Mapping[str, Any], order: Sequence[str], page: Path = PAGE) -> None:
    """Put the tables between their marks; what stands around them is written by hand and stays."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n".join(_tables(data, order)) + "\n" + END + after, encoding="utf-8")


def rows(data: Mapping[str, Any], order: Sequence[str]) -> list[Row]:
    return [Row.from_data(data["rows"][key]["row"]) for key in order if key in data["rows"]]


def growth(data: Mapping[str, Any]) -> list[Growth]:
    return [Growth(each["what"], each["seconds"]) for each in data["growth"].get("lines", [])]


def _tables(data: Mapping[str, Any], order: Sequence[str]) -> Iterable[str]:
    machines = {each["machine"] for each in data["rows"].values()} | {data["growth"].get("machine", "")} - {""}
    yield f"\nMeasured on {' and '.join(sorted(machines))}.\n"
    yield "![Time next to each peer, and how it grows](images/benchmarks.svg)\n"
    yield "| row | what | ours | next to it | ratio | bar | met |\n|---|---|---|---|---|---|---|"
    yield from (_summary(row) for row in rows(data, order))
    for row in rows(data, order):
        yield f"\n### {row.key}: {row.what}\n"
        yield from _details(row)
    if growth(data):
        yield "\n### growth\n"
        yield from _growth(growth(data))


def _summary(row: Row) -> str:
    ours = _amount(row.wall(row.ours), row.unit) if row.ours in row.samples else "-"
    rival = f"{row.rival}: {_amount(row.wall(row.rival), row.unit)}" if row.rival else "-"
    ratio = row.ratio()
    met = {True: "yes", False: f"no{_missed(row)}", None: "-"}[row.is_met]
    return (
        f"| {row.key} | {row.what} | {ours} | {rival} | {_spread(ratio) if ratio else '-'} | {row.bar.text} | {met} |"
    )


def _missed(row: Row) -> str:
    if row.judged is None:
        return ""
    more = (
        f"{row.judged:.2f} s more"
        if row.bar.measure == "difference"
        else f"{row.judged / row.bar.limit:.2f} times the bar"
    )
    return f": {more}"


def _details(row: Row) -> Iterable[str]:
    if row.unit == "B":
        yield "| | version | size |\n|---|---|---|"
        for name in row.samples:
            yield f"| {name} | {row.versions.get(name, '')} | {_bytes(row.wall(name).middle)} |"
    else:
        yield "| | version | time | processor | memory | ours to it, time | ours to it, processor |"
        yield "|---|---|---|---|---|---|---|"
        for name in sorted(row.samples, key=lambda each: row.wall(each).middle):
            against = Row(**{**vars(row), "bar": Bar("", 1.0, name)})
            ratios = ["", ""] if name == row.ours else [_ratio(against, "wall"), _ratio(against, "cpu")]
            cells = [
                _amount(row.wall(name), "s"),
                _amount(row.cpu(name), "s"),
                f"{row.peak(name) / 2**20:.0f} MiB",
                *ratios,
            ]
            yield f"| {name} | {row.versions.get(name, '')} | {' | '.join(cells)} |"
    for name, why in row.absent.items():
        yield f"\n{name} could not be measured: {why}"
    if row.note:
        yield f"\n{row.note}"


def _growth(lines: Sequence[Growth]) -> Iterable[str]:
    sizes = sorted({int(size) for line in lines for size in line.seconds})
    yield "| seconds at | " + " | ".join(f"{size:,}" for size in sizes) + " | exponent at the end |"
    yield "|---|" + "---|" * (len(sizes) + 1)
    for line in lines:
        cells = [f"{line.seconds[str(size)]:.2f}" if str(size) in line.seconds else "-" for size in sizes]
        yield f"| {line.what} | {' | '.join(cells)} | {line.slope:.2f} |"
    yield "\nThe exponent is that of the growth between the two largest sizes; 1 is linear, less is a fixed cost beside it."


def _ratio(row: Row, measure: Any) -> str:
    ratio = row.ratio(measure)
    return _spread(ratio) if ratio else "-"


def _amount(spread: Spread, unit: str) -> str:
    if unit == "B":
        return _bytes(spread.middle)
    return f"{spread.middle:.2f} s ({spread.least:.2f} to {spread.most:.2f})"


def _bytes(size: float) -> str:
    return f"{size:,.0f} B"


def _spread(spread: Spread) -> str:
    return f"{spread.middle:.2f} ({spread.least:.2f} to {spread.most:.2f})"
