"""The real command line, whose local engine starts the FAKE steps beside this file."""

import functools

from odahu_argo.cli import app
from odahu_argo.local import run

run.run = functools.partial(run.run, module="fake_steps")
app.main()
