"""Cron schedules and time zones as Argo's CronWorkflow takes them, which is narrower than what cron programs take.

Argo reads them by robfig/cron's ParseStandard (https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format),
after the API has held them against the pattern of its definition.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from importlib.resources import files

from cronsim import CronSim, CronSimError

_NAMED = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every\s+([0-9]+(ns|us|µs|ms|s|m|h))+")
_FIELDS = re.compile(r"([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+")
_LAST = re.compile(r"(^|[,-])(L|LW|[0-9]+L)($|[,/-])")
_SEVENTH_DAY = re.compile(r"(^|[,-])7($|[,/-])")
_ANY_DAY = datetime(2024, 1, 1)
EXAMPLE = "write for example 0 3 * * 1 (Mondays at three), or @daily"


def check_cron(text: str) -> str:
    """The schedule with single blanks: minute, hour, day of the month, month, day of the week, or a name such as `@daily`.

    Raises:
        ValueError: it is none, Argo would not take it, or its day never comes.
    """
    schedule = " ".join(text.split())
    if _NAMED.fullmatch(schedule):
        return schedule
    if not _FIELDS.fullmatch(schedule):
        raise ValueError(f"{text!r} is not a cron schedule of five fields; {EXAMPLE}")
    fields = schedule.upper().replace("?", "*").split()
    if any(map(_LAST.search, fields)) or _SEVENTH_DAY.search(fields[4]):
        raise ValueError(f"{text!r} is not a schedule that Argo takes: no L, and Sunday is 0; {EXAMPLE}")
    try:
        next(CronSim(" ".join(fields), _ANY_DAY))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron schedule: {str(error).lower()}; {EXAMPLE}") from None
    except StopIteration:
        raise ValueError(f"{text!r} names a day that never comes") from None
    return schedule


def check_time_zone(text: str) -> str:
    """The name of a time zone of the IANA database.

    Raises:
        ValueError: there is none of that name.
    """
    if text not in time_zones():
        raise ValueError(f"{text!r} is not a time zone; write for example Europe/Berlin or UTC")
    return text


@cache
def time_zones() -> frozenset[str]:
    """The names that the `tzdata` package has, so that every machine knows the same."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())
