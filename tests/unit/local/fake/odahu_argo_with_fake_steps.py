"""The real command line, whose local engine starts the FAKE steps beside this file.

Where $FAKE_CLOCK names a file, its clock of the day is off by the seconds that stand there, and may be set while it runs.
"""

import datetime
import functools
import os
from pathlib import Path

from odahu_argo.cli import app
from odahu_argo.local import engine, store


class Clock(datetime.datetime):
    """Off by what the file says."""

    @classmethod
    def now(cls, zone: datetime.tzinfo | None = None) -> datetime.datetime:
        off = float(Path(os.environ["FAKE_CLOCK"]).read_text())
        return datetime.datetime.now(zone) + datetime.timedelta(seconds=off)


if "FAKE_CLOCK" in os.environ:
    store.datetime = Clock
engine.run = functools.partial(engine.run, module="fake_steps")
app.main()
