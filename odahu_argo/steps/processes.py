"""Stopping what a step has started."""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType

GRACE = 10.0
"""Seconds that a child process gets to end by itself before it is killed."""
EXIT_TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """The step was told to stop (SIGTERM); carries exit code 143."""

    def __init__(self) -> None:
        """Exit with 143."""
        super().__init__(EXIT_TERMINATED)


def terminate_on_signal() -> None:
    """From now on SIGTERM stops all child processes and raises `Terminated` in the main thread."""
    signal.signal(signal.SIGTERM, _on_sigterm)


def stop_children() -> None:
    """Ask every process below this one to end, wait `GRACE` seconds, kill the rest."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(children, timeout=GRACE)
    for child in alive:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop_children()
    raise Terminated
