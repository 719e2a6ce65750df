"""Plot of the rows: our time relative to each peer's, and growth with size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
matplotlib.rcParams |= {
    "svg.hashsalt": "odahu-argo",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
from matplotlib import pyplot  # noqa: E402  # the backend comes first
from matplotlib.axes import Axes  # noqa: E402

from tests.bench.figures import Growth, Row  # noqa: E402
from tests.conftest import ROOT  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "benchmarks.svg"
_MET, _MISSED, _PLAIN, _BAR = "#2f7d4f", "#c0632b", "#5b7ea6", "#222222"


def draw(rows: Sequence[Row], lines: Sequence[Growth], picture: Path = PICTURE) -> None:
    """Draw the ratios and, if measured, the growth in a second panel."""
    compared = [row for row in rows if row.ratio() is not None]
    if not compared and not lines:
        return
    panels = [bool(compared), bool(lines)]
    height = max(3.2, 0.42 * len(compared) + 1.4)
    figure, axes = pyplot.subplots(1, sum(panels), figsize=(6.2 * sum(panels), height), squeeze=False)
    free = iter(axes[0])
    if compared:
        _ratios(next(free), compared)
    if lines:
        _growth(next(free), lines)
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)
    pyplot.close(figure)


def _ratios(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(reversed(rows)):
        ratio = row.ratio()
        if ratio is None:
            continue
        colour = _PLAIN if row.is_met is None else _MET if row.is_met else _MISSED
        reach = [[ratio.middle - ratio.least], [ratio.most - ratio.middle]]
        axes.barh(place, ratio.middle, color=colour, height=0.6, xerr=reach, error_kw={"lw": 1, "capsize": 2})
        axes.annotate(f"{ratio.middle:.2f}", (ratio.most, place), (4, 0), textcoords="offset points", va="center")
        if row.bar.measure == "ratio":
            axes.plot([row.bar.limit] * 2, [place - 0.42, place + 0.42], color=_BAR, lw=1.6)
    axes.set_yticks(range(len(rows)), [f"{row.key} / {row.rival}" for row in reversed(rows)])
    axes.axvline(1, color="#999999", lw=0.8, ls=":")
    axes.set_xlim(left=0)
    axes.set_xlabel("odahu-argo's time / the peer's (less is better); black line: target")


def _growth(axes: Axes, lines: Sequence[Growth]) -> None:
    for line in lines:
        sizes = sorted(int(size) for size in line.seconds)
        axes.plot(
            sizes, [line.seconds[str(size)] for size in sizes], marker="o", ms=3.5, label=line.what.replace("`", "")
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("N")
    axes.set_ylabel("seconds")
    axes.grid(True, which="major", lw=0.4, color="#dddddd")
    axes.legend(frameon=False)
