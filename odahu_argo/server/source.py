"""What the API's routes ask for, whatever the trainings run on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from odahu_argo.errors import UserError

Form = dict[str, Any]
"""A training in the form of ODAHU's API."""


class NotAllowed(UserError):
    """What the server stands on cannot do this at all."""


class Trainings(Protocol):
    """Trainings by id. Every method may raise ServiceFault, and those of one training NotFound."""

    def all(self) -> list[Form]:
        """Every training, by id."""

    def get(self, training_id: str) -> Form:
        """One training."""

    def create(self, body: object) -> Form:
        """Start a training from a ModelTraining as JSON has it. UserError with every mistake, AlreadyExists, NotAllowed."""

    def update(self, body: object) -> Form:
        """Run a training anew. UserError with every mistake, NotAllowed."""

    def delete(self, training_id: str) -> None:
        """Remove a training. NotAllowed."""

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, without line breaks; NotFound before the first is asked for."""
