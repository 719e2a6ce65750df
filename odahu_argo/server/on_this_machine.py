"""The trainings of this machine, to be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from odahu_argo.local.home import Home
from odahu_argo.local.lines import without_kind
from odahu_argo.local.lock import read_training, read_trainings
from odahu_argo.local.logs import read_logs
from odahu_argo.local.odahu_form import odahu_form
from odahu_argo.local.store import Store
from odahu_argo.server.source import Form, NotAllowed
from odahu_argo.submit.cluster import NotFound


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """What `odahu-argo local` has run below `home`."""

    home: Home

    def all(self) -> list[Form]:
        """Every training, by id."""
        found = sorted(read_trainings(self.home), key=lambda training: training.id)
        return [odahu_form(training, self.home) for training in found]

    def get(self, training_id: str) -> Form:
        """One training."""
        self._require(training_id)
        return odahu_form(read_training(self.home, training_id), self.home)

    def create(self, body: object) -> Form:
        """Not here."""
        _refuse("started", "odahu-argo local train run -f FILE starts one")

    def update(self, body: object) -> Form:
        """Not here."""
        _refuse("run anew", "odahu-argo local train run -f FILE does so")

    def delete(self, training_id: str) -> None:
        """Not here."""
        _refuse("removed", f"odahu-argo local train cleanup --id {training_id} does so")

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, each after the name of its step."""
        self._require(training_id)
        lines = read_logs(self.home, training_id, None, follow)
        return (f"{step} | {without_kind(step, line)}" for step, line in lines)

    def _require(self, training_id: str) -> None:
        if Store(self.home.trainings).get(training_id) is None:
            raise NotFound(f"no training {training_id!r} was run on this machine")


def _refuse(what: str, hint: str) -> NoReturn:
    raise NotAllowed(f"trainings of this machine cannot be {what} by the API", hint)
