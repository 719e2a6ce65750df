"""The logs of a training, as far as they are written, or as they grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

from odahu_argo.errors import UserError
from odahu_argo.local.home import Home
from odahu_argo.local.lock import read_training
from odahu_argo.validation import nearest

_LOOK_EVERY = 0.3
"""Seconds."""


def read_logs(
    home: Home, training_id: str, step: str | None, follow: bool, is_over: Event | None = None
) -> Iterator[tuple[str, str]]:
    """Pairs of step and line, in the order of the steps; with `follow` then each new line, until the training has ended.

    Whoever reads in a thread sets `is_over` to end it early.

    Raises:
        UserError: there is no such training or step.
    """
    training = read_training(home, training_id)
    names = [each.name for each in training.steps]
    if step is not None and step not in names:
        raise UserError(f"training {training_id!r} has no step {step!r}", hint=nearest(step, names))
    tails = [_Tail(name, home.run(training_id).log(name)) for name in ([step] if step else names)]
    is_over = is_over or Event()
    while not is_over.is_set():
        is_last = not follow or not read_training(home, training_id).is_live
        for tail in tails:
            yield from tail.new_lines(is_last)
        if is_last:
            return
        is_over.wait(_LOOK_EVERY)


class _Tail:
    """A file that grows: where we are in it."""

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._file = file
        self._offset = 0

    def new_lines(self, with_unfinished: bool) -> Iterator[tuple[str, str]]:
        try:
            with self._file.open("rb") as stream:
                stream.seek(self._offset)
                for line in stream:
                    if not (line.endswith(b"\n") or with_unfinished):
                        return
                    self._offset += len(line)
                    yield self._name, line.decode("utf-8", "replace").rstrip("\n")
        except FileNotFoundError:
            return
