"""Validation of cron schedules and time zones for Argo's CronWorkflow, which accepts less than cron programs do.

The Kubernetes API validates schedules against the pattern of Argo's CRD; Argo parses them with robfig/cron's ParseStandard
(https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format).
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from importlib.resources import files

from cronsim import CronSim, CronSimError

_DESCRIPTOR = re.compile(
    r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+"
)
_FIELDS = re.compile(r"([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+")
_LAST = re.compile(r"(^|[,-])(L|LW|[0-9]+L)($|[,/-])")
_WEEKDAY_7 = re.compile(r"(^|[,-])7($|[,/-])")
_START = datetime(2024, 1, 1)
EXAMPLE = "write for example 0 3 * * 1 (Mondays at 3:00) or @daily"


def check_cron(text: str) -> str:
    """Return the schedule with normalized spaces: five fields (minute to day of the week), or a descriptor such as `@daily`.

    Raises:
        ValueError: the schedule is invalid, Argo does not accept it, or it never occurs.
    """
    schedule = " ".join(text.split())
    if _DESCRIPTOR.fullmatch(schedule):
        return schedule
    if not _FIELDS.fullmatch(schedule):
        raise ValueError(f"{text!r} is not a cron schedule with five fields; {EXAMPLE}")
    fields = schedule.upper().replace("?", "*").split()
    if any(map(_LAST.search, fields)) or _WEEKDAY_7.search(fields[4]):
        raise ValueError(f"{text!r} is not a schedule that Argo accepts: use 0 for Sunday, and no L; {EXAMPLE}")
    try:
        next(CronSim(" ".join(fields), _START))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron schedule: {str(error).lower()}; {EXAMPLE}") from None
    except StopIteration:
        raise ValueError(f"{text!r} never occurs; check day and month") from None
    return schedule


def check_time_zone(text: str) -> str:
    """Return the name of a time zone in the IANA database.

    Raises:
        ValueError: the database has no such time zone.
    """
    if text not in time_zones():
        raise ValueError(f"{text!r} is not a time zone; write for example Europe/Berlin or UTC")
    return text


@cache
def time_zones() -> frozenset[str]:
    """Return the time zones of the `tzdata` package, which are the same on every machine."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())
