"""The DAG, the bars and the curves, from values to SVG."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from odahu_argo import templates
from odahu_argo.tracking import Metric, thinned
from odahu_argo.web import charts, dag
from odahu_argo.web.model import Span, Step
from odahu_argo.web.text import ago, number, shown, took

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def step(name: str, *needs: str, state: str = "waiting", start: float | None = None, end: float | None = None) -> Step:
    span = Span(state, at(start) if start is not None else None, at(end) if end is not None else None)
    return Step(name, state, needs=needs, tries=(span,) if start is not None else ())


DIAMOND = (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))


def boxes(picture: str) -> dict[str, tuple[float, float]]:
    """Where each step's box is."""
    found = {}
    for group in ElementTree.fromstring(picture).iter("g"):
        if (title := group.find("title")) is not None:
            x, y = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
            found[title.text or ""] = (x, y)
    return found


def test_steps_side_by_side_stand_below_each_other() -> None:
    place = boxes(dag.across(DIAMOND, NOON))
    assert place["a"][0] < place["b"][0] == place["c"][0] < place["d"][0]
    assert place["b"][1] < place["a"][1] == place["d"][1] < place["c"][1]


def test_on_a_phone_each_step_has_a_row_and_no_two_edges_share_a_lane() -> None:
    picture = dag.down(DIAMOND, NOON)
    place = boxes(picture)
    assert len({x for x, _ in place.values()}) == 1
    assert [name for name, _ in sorted(place.items(), key=lambda item: item[1][1])] == ["a", "b", "c", "d"]
    lanes = re.findall(r"Q([\d.]+) ", picture)
    assert len(re.findall('class="edge"', picture)) == 4
    assert len(set(lanes)) == 2


def test_what_is_no_dag_is_drawn_all_the_same() -> None:
    assert set(boxes(dag.across((step("a", "b"), step("b", "a"), step("c", "x")), NOON))) == {"a", "b", "c"}
    assert ElementTree.fromstring(dag.down((), NOON)) is not None


def test_names_of_any_kind_are_text_in_the_picture() -> None:
    name = '</text><script>"&\x00'
    picture = dag.across((step(name), step("b", name)), NOON)
    assert "<script" not in picture
    assert boxes(picture).keys() == {'</text><script>"&?', "b"}


def test_bars_stand_where_the_time_was_spent() -> None:
    steps = (
        step("a", state="succeeded", start=0, end=30),
        step("b", "a", state="running", start=60),
        step("c", "b", state="stopped", start=60),
    )
    scale = charts.axis(steps, at(120))
    assert scale.ticks == ("0", "1 min", "2 min")
    widths = [re.findall(r'x="([\d.]+)%" y="3" width="([\d.]+)%"', charts.bar(each, scale, at(120))) for each in steps]
    assert widths == [[("0.00", "25.00")], [("50.00", "50.00")], [("50.00", "0.60")]]


def test_a_step_that_was_tried_again_has_a_bar_for_each_try() -> None:
    tried = Step("a", "succeeded", tries=(Span("failed", at(0), at(10)), Span("succeeded", at(20), at(40))))
    bar = charts.bar(tried, charts.axis((tried,), NOON), NOON)
    assert re.findall(r'state-(\w+)" x="([\d.]+)%', bar) == [("failed", "0.00"), ("succeeded", "50.00")]
    assert tried.took(NOON) == 40


def test_a_curve_goes_from_its_first_to_its_last_value() -> None:
    curve = charts.curve(Metric("loss", 1.0, ((0, 3.0), (5, 2.0), (10, 1.0))))
    assert curve is not None
    assert 'points="0.00,0.00 50.00,50.00 100.00,100.00"' in curve.picture
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
def test_what_is_no_curve_is_not_drawn(points: tuple[tuple[int, float], ...]) -> None:
    assert charts.curve(Metric("loss", 1.0, points)) is None


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
def test_odd_numbers_stay_within_the_picture(points: tuple[tuple[int, float], ...]) -> None:
    curve = charts.curve(Metric("<b>", 1.0, points))
    assert curve is not None
    assert "&lt;b&gt;" in curve.picture
    [line] = re.findall('class="line" points="([^"]*)"', curve.picture)
    assert all(0 <= float(part) <= 100 for pair in line.split() for part in pair.split(","))


def test_long_histories_are_thinned_from_end_to_end() -> None:
    points = thinned([(number, float(number)) for number in range(100_000)])
    assert (len(points), points[0][0], points[-1][0]) == (320, 0, 99_999)


def test_words_for_times_and_numbers() -> None:
    assert [took(each) for each in (0, 0.2, 4, 91, 3600, 18120, 266400)] == [
        "0 s", "< 1 s", "4 s", "1 min 31 s", "1 h", "5 h 2 min", "3 d 2 h",
    ]  # fmt: skip
    assert [ago(NOON, at(each)) for each in (-5, 1, 40, 720, 7200, 10**6)] == [
        "just now", "just now", "40 s ago", "12 min ago", "2 h ago", "11 d ago",
    ]  # fmt: skip
    assert [number(each) for each in (1.0, 0.123456789, math.nan, -math.inf)] == ["1", "0.123457", "NaN", "-∞"]
    assert shown("a\x1b[1mb\x1b[0m\x07\r\n\tc") == "ab?\n\tc"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_can_be_read_in_both_colour_schemes(scheme: str) -> None:
    """WCAG 2.2 asks for 4.5:1 (https://www.w3.org/TR/WCAG22/#contrast-minimum), and for 3:1 of what is no text."""
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
