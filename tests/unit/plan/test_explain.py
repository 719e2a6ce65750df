from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from odahu_argo.plan.explain import draw, duration, explain, mermaid
from tests.manifests import plan


def data(count: int) -> list[dict[str, str]]:
    return [{"connName": "wine-data", "localPath": f"{number}/"} for number in range(count)]


@pytest.mark.parametrize(
    ("count", "drawing"),
    [
        (0, "checkout ─── train ─── package"),
        (1, "checkout ─── download-wine-data ─── train ─── package"),
        (
            2,
            """\
            checkout ─┬─ download-wine-data ───┬─ train ─── package
                      └─ download-wine-data-2 ─┘""",
        ),
        (
            3,
            """\
            checkout ─┬─ download-wine-data ───┬─ train ─── package
                      ├─ download-wine-data-2 ─┤
                      └─ download-wine-data-3 ─┘""",
        ),
    ],
)
def test_drawing(tmp_path: Path, count: int, drawing: str) -> None:
    assert draw(plan(tmp_path, data=data(count))) == textwrap.dedent(drawing)


def test_mermaid_contains_steps_and_arrows(tmp_path: Path) -> None:
    lines = mermaid(plan(tmp_path, resources={"limits": {"gpu": "1"}})).splitlines()
    assert lines[0] == "flowchart LR"
    assert '    s2["train (1 GPU)"]' in lines
    assert [line for line in lines if "-->" in line] == ["    s0 --> s1", "    s1 --> s2", "    s2 --> s3"]


def test_explanation_contains_facts(tmp_path: Path) -> None:
    text = explain(plan(tmp_path, resources={"limits": {"gpu": "2"}}, hyperParameters={"note": "two\nlines"}))
    for fact in (
        "clone connection code (https://git.example.org/ml/code.git), develop",
        "copy connection wine-data (s3://wine/data/) to data/",
        "2 x nvidia.com/gpu",
        "waits at most 30 min for a node",
        'note="two\\nlines"',
        "wine-1.0-<random UUID>.zip, a gzip-compressed tar, to connection models-output (on the cluster)",
        "the Secrets connection-code, connection-wine-data, connection-models-output",
    ):
        assert fact in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (5400, "1 h 30 min"), (86400, "1 d"), (90061, "1 d 1 h 1 min 1 s")]
)
def test_duration(seconds: int, text: str) -> None:
    assert duration(seconds) == text
