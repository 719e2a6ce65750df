from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from odahu_argo import compile_workflow
from odahu_argo.compile.workflow import digest
from odahu_argo.errors import UserError
from odahu_argo.schedule import check_cron, check_time_zone
from tests.conftest import ROOT
from tests.manifests import plan, problems


@pytest.mark.parametrize(
    "text",
    ["0 3 * * 1", "*/5 8-17 * * MON-FRI", "0 0 1,15 jan-mar ?", "0 0 29 2 *", "0 7 7 7 *", "@daily", "@every 1h30m"],
)
def test_accepts_valid_schedule(text: str) -> None:
    assert check_cron(text) == text


def test_normalizes_spaces() -> None:
    assert check_cron("  0  3 * *\t1 ") == "0 3 * * 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 3 * *", "five fields"),
        ("0 0 3 * * 1", "five fields"),
        ("61 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 30 2 *", "never occurs|bad day-of-month"),
        ("0 0 31 4,6 *", "never occurs|bad day-of-month"),
        ("0 0 * * 7", "use 0 for Sunday"),
        ("0 0 L * *", "no L"),
        ("0 0 * * 5L", "no L"),
        ("0 0 * * 1#2", "five fields"),
        ("@reboot", "five fields"),
        ("@every soon", "five fields"),
        ("5-1 * * * *", "bad minute"),
        ("{{workflow.name}}", "five fields"),
        ("", "five fields"),
    ],
)
def test_rejects_schedule_that_argo_rejects(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_cron(text)


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "US/Eastern", "Etc/GMT+5"])
def test_accepts_time_zone(name: str) -> None:
    assert check_time_zone(name) == name


@pytest.mark.parametrize("name", ["CET/Berlin", "", "Local", "europe/berlin", "../etc/passwd"])
def test_rejects_unknown_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        check_time_zone(name)


def test_schedule_does_not_change_digest(tmp_path: Path) -> None:
    once, often = plan(tmp_path), plan(tmp_path, schedules=["@daily"])
    assert digest(once) == digest(often)
    assert compile_workflow(once)["spec"] == compile_workflow(often)["spec"]
    assert str(often.schedule) == "@daily (UTC)"


def test_rejects_time_zone_without_schedule(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, timezone="UTC")
    assert problems(error.value) == ["spec.timezone: timezone has no effect without schedules"]


def test_invalid_schedule_reports_field(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, schedules=["0 3 * * 1", "0 3 * * 8"], timezone="Mars/Base")
    assert [line.partition(":")[0] for line in problems(error.value)] == ["spec.schedules[1]", "spec.timezone"]


def test_schedules_must_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, schedules="@daily")
    assert problems(error.value) == ["spec.schedules: must be a list, not text"]


def test_documented_example_is_valid() -> None:
    [row] = re.findall(
        r"^schedules: .*$", (ROOT / "docs" / "guides" / "gitops.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [check_cron(each) for each in yaml.safe_load(row)["schedules"]]
