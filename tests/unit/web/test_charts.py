"""SVG output of the DAG, the duration bars and the metric curves, and text formatting."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from odahu_argo import templates
from odahu_argo.status.model import PodRun, StepState, StepStatus
from odahu_argo.tracking import Metric, thin_out
from odahu_argo.web import charts, dag
from odahu_argo.web.model import duration
from odahu_argo.web.text import displayable, format_age, format_duration, format_number

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def time(seconds: float | None) -> str:
    return "" if seconds is None else at(seconds).isoformat()


def step(
    name: str, *needs: str, state: StepState = "waiting", start: float | None = None, end: float | None = None
) -> StepStatus:
    return StepStatus(name, state, started=time(start), finished=time(end), needs=needs)


DIAMOND = (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))


def boxes(picture: str) -> dict[str, tuple[float, float]]:
    """Return the position of each step's box."""
    positions = {}
    for group in ElementTree.fromstring(picture).iter("g"):
        if (title := group.find("title")) is not None:
            x, y = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
            positions[title.text or ""] = (x, y)
    return positions


def test_wide_dag_stacks_parallel_steps() -> None:
    place = boxes(dag.draw_wide(DIAMOND, NOON))
    assert place["a"][0] < place["b"][0] == place["c"][0] < place["d"][0]
    assert place["b"][1] < place["a"][1] == place["d"][1] < place["c"][1]


def test_narrow_dag_has_one_step_per_row_and_separate_lanes() -> None:
    picture = dag.draw_narrow(DIAMOND, NOON)
    place = boxes(picture)
    assert len({x for x, _ in place.values()}) == 1
    assert [name for name, _ in sorted(place.items(), key=lambda item: item[1][1])] == ["a", "b", "c", "d"]
    lanes = re.findall(r"Q([\d.]+) ", picture)
    assert len(re.findall('class="edge"', picture)) == 4
    assert len(set(lanes)) == 2


def test_draws_steps_with_cyclic_dependencies() -> None:
    assert set(boxes(dag.draw_wide((step("a", "b"), step("b", "a"), step("c", "x")), NOON))) == {"a", "b", "c"}
    assert ElementTree.fromstring(dag.draw_narrow((), NOON)) is not None


def test_escapes_step_names() -> None:
    name = '</text><script>"&\x00'
    picture = dag.draw_wide((step(name), step("b", name)), NOON)
    assert "<script" not in picture
    assert boxes(picture).keys() == {'</text><script>"&?', "b"}


def test_bars_show_start_and_duration() -> None:
    steps = (
        step("a", state="succeeded", start=0, end=30),
        step("b", "a", state="running", start=60),
        step("c", "b", state="stopped", start=60),
    )
    scale = charts.time_axis(steps, at(120))
    assert scale.ticks == ("0", "1 min", "2 min")
    widths = [
        re.findall(r'x="([\d.]+)%" y="3" width="([\d.]+)%"', charts.duration_bar(found, scale, at(120)))
        for found in steps
    ]
    assert widths == [[("0.00", "25.00")], [("50.00", "50.00")], [("50.00", "0.60")]]


def test_draws_one_bar_per_pod_of_a_retried_step() -> None:
    runs = (
        PodRun("n1", 1, "failed", started=time(0), finished=time(10)),
        PodRun("n2", 2, "succeeded", started=time(20), finished=time(40)),
    )
    retried = StepStatus("a", "succeeded", runs=runs)
    bar = charts.duration_bar(retried, charts.time_axis((retried,), NOON), NOON)
    assert re.findall(r'state-(\w+)" x="([\d.]+)%', bar) == [("failed", "0.00"), ("succeeded", "50.00")]
    assert duration(retried, NOON) == 40


def test_curve_spans_first_to_last_value() -> None:
    curve = charts.metric_curve(Metric("loss", 1.0, ((0, 3.0), (5, 2.0), (10, 1.0))))
    assert curve is not None
    assert 'points="0.00,0.00 50.00,50.00 100.00,100.00"' in curve.svg
    assert (curve.lowest, curve.highest, curve.first, curve.last) == ("1", "3", "step 0", "step 10")


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0, 1.0),),
        ((0, math.nan), (1, math.inf)),
        ((0, 1.0), (1, math.nan)),
    ],
)
def test_draws_no_curve_with_fewer_than_two_finite_values(points: tuple[tuple[int, float], ...]) -> None:
    assert charts.metric_curve(Metric("loss", 1.0, points)) is None


@pytest.mark.parametrize(
    "points",
    [
        ((0, 1.0), (0, 2.0)),
        ((0, 5.0), (1, 5.0)),
        ((0, -1.7e308), (1, 1.7e308)),
        ((-(10**18), 5e-324), (10**18, 0.0)),
        ((3, 1.0), (1, 2.0)),
    ],
)
def test_extreme_values_stay_within_the_picture(points: tuple[tuple[int, float], ...]) -> None:
    curve = charts.metric_curve(Metric("<b>", 1.0, points))
    assert curve is not None
    assert "&lt;b&gt;" in curve.svg
    [line] = re.findall('class="line" points="([^"]*)"', curve.svg)
    assert all(0 <= float(part) <= 100 for pair in line.split() for part in pair.split(","))


def test_thins_out_long_histories() -> None:
    points = thin_out([(number, float(number)) for number in range(100_000)])
    assert (len(points), points[0][0], points[-1][0]) == (320, 0, 99_999)


def test_formats_times_and_numbers() -> None:
    assert [format_duration(length) for length in (0, 0.2, 4, 91, 3600, 18120, 266400)] == [
        "0 s", "< 1 s", "4 s", "1 min 31 s", "1 h", "5 h 2 min", "3 d 2 h",
    ]  # fmt: skip
    assert [format_age(NOON, at(seconds)) for seconds in (-5, 1, 40, 720, 7200, 10**6)] == [
        "just now", "just now", "40 s ago", "12 min ago", "2 h ago", "11 d ago",
    ]  # fmt: skip
    assert [format_number(value) for value in (1.0, 0.123456789, math.nan, -math.inf)] == ["1", "0.123457", "NaN", "-∞"]
    assert displayable("a\x1b[1mb\x1b[0m\x07\r\n\tc") == "ab?\n\tc"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_have_sufficient_contrast(scheme: str) -> None:
    """WCAG 2.2 requires 4.5:1 for text: https://www.w3.org/TR/WCAG22/#contrast-minimum."""
    light, dark = re.findall(r":root \{(.*?)\}", templates.read("page/style.css"), re.DOTALL)
    text = light if scheme == "light" else light + dark
    colour = dict(re.findall(r"--([\w-]+): (#\w+);", text))
    for name in ("green", "red", "blue", "amber", "grey", "violet"):
        assert contrast(colour[name], colour[f"{name}-soft"]) >= 4.5, name
        assert contrast(colour[name], colour["card"]) >= 4.5, name
    for ink in ("ink", "soft", "faint", "accent"):
        for ground in ("card", "page", "inset"):
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    assert contrast(colour["on-accent"], colour["accent"]) >= 4.5


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted(map(_luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
