"""The `odahu-argo` command with FAKE steps.

Environment variables:
- `FAKE_CLOCK`: file with the number of seconds by which the wall clock is shifted; the content may change.
- `FAKE_GRACE_PERIOD`: seconds between SIGTERM and SIGKILL.
- `FAKE_NOHUP`: ignore SIGHUP, as `nohup` does.
"""

import datetime
import functools
import os
import signal
from pathlib import Path

from odahu_argo.cli import app
from odahu_argo.local import engine, process, store


class ShiftedClock(datetime.datetime):
    @classmethod
    def now(cls, zone: datetime.tzinfo | None = None) -> datetime.datetime:
        seconds = float(Path(os.environ["FAKE_CLOCK"]).read_text())
        return datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)


if "FAKE_CLOCK" in os.environ:
    store.datetime = ShiftedClock
if "FAKE_GRACE_PERIOD" in os.environ:
    process.GRACE_PERIOD = float(os.environ["FAKE_GRACE_PERIOD"])
if "FAKE_NOHUP" in os.environ:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
engine.run = functools.partial(engine.run, module="fake_steps")
app.main()
