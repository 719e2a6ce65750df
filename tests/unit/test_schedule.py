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
def test_a_schedule_of_argos_is_taken_as_it_is(text: str) -> None:
    assert check_cron(text) == text


def test_blanks_do_not_make_another_schedule() -> None:
    assert check_cron("  0  3 * *\t1 ") == "0 3 * * 1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 3 * *", "five fields"),
        ("0 0 3 * * 1", "five fields"),
        ("61 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 30 2 *", "never comes|bad day-of-month"),
        ("0 0 31 4,6 *", "never comes|bad day-of-month"),
        ("0 0 * * 7", "Sunday is 0"),
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
def test_what_argo_would_not_take_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_cron(text)


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "US/Eastern", "Etc/GMT+5"])
def test_a_time_zone_is_known(name: str) -> None:
    assert check_time_zone(name) == name


@pytest.mark.parametrize("name", ["CET/Berlin", "", "Local", "europe/berlin", "../etc/passwd"])
def test_what_is_no_time_zone_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        check_time_zone(name)


def test_a_schedule_changes_nothing_of_what_is_run(tmp_path: Path) -> None:
    once, often = plan(tmp_path), plan(tmp_path, schedules=["@daily"])
    assert digest(once) == digest(often)
    assert compile_workflow(once)["spec"] == compile_workflow(often)["spec"]
    assert str(often.schedule) == "@daily (UTC)"


def test_a_time_zone_alone_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        plan(tmp_path, timezone="UTC")
    assert problems(told.value) == ["spec.timezone: timezone has no effect without schedules"]


def test_a_schedule_that_is_none_is_a_mistake_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        plan(tmp_path, schedules=["0 3 * * 1", "0 3 * * 8"], timezone="Mars/Base")
    assert [line.partition(":")[0] for line in problems(told.value)] == ["spec.schedules[1]", "spec.timezone"]


def test_a_schedule_written_as_one_text_is_told_to_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        plan(tmp_path, schedules="@daily")
    assert problems(told.value) == ["spec.schedules: must be a list, not text"]


def test_the_documented_example_is_a_schedule() -> None:
    [row] = re.findall(r"^schedules: .*$", (ROOT / "docs" / "gitops.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [check_cron(each) for each in yaml.safe_load(row)["schedules"]]
