"""What the API's routes ask for, whatever the trainings run on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from odahu_argo.manifest.load import Manifests
from odahu_argo.web.model import Views

Form = dict[str, Any]
"""A training, connection or toolchain in the form of ODAHU's API."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What is kept now, and whether that is anything else than before."""

    form: Form
    is_changed: bool


class Trainings(Protocol):
    """Trainings by id. Every method may raise ServiceFault, and those of one training NotFound."""

    def all(self) -> list[Form]:
        """Every training, by id."""

    def get(self, training_id: str) -> Form:
        """One training."""

    def create(self, manifests: Manifests) -> Form:
        """Start the one training of the manifests. UserError with every mistake, AlreadyExists."""

    def update(self, manifests: Manifests) -> Form:
        """Run that training anew. UserError with every mistake."""

    def delete(self, training_id: str) -> None:
        """Remove a training; one that goes on is stopped."""

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, without line breaks; NotFound before the first is asked for."""


class Connections(Protocol):
    """Connections by id; their secret values are masked but where `decrypted` asks for them. Faults as for trainings."""

    def all(self) -> list[Form]:
        """Every connection, by id."""

    def get(self, connection_id: str, decrypted: bool = False) -> Form:
        """One connection."""

    def create(self, body: object) -> Form:
        """Keep a new connection. UserError, AlreadyExists, NotAllowed."""

    def update(self, body: object) -> Updated:
        """Replace a connection. UserError, NotAllowed."""

    def delete(self, connection_id: str) -> None:
        """Remove a connection. UserError where it is vital, NotAllowed."""


class Toolchains(Protocol):
    """Toolchains by id. Faults as for trainings."""

    def all(self) -> list[Form]:
        """Every toolchain, by id."""

    def get(self, toolchain_id: str) -> Form:
        """One toolchain."""

    def create(self, body: object) -> Form:
        """Keep a new toolchain. UserError, AlreadyExists, NotAllowed."""

    def update(self, body: object) -> Updated:
        """Replace a toolchain. UserError, NotAllowed."""

    def delete(self, toolchain_id: str) -> None:
        """Remove a toolchain. NotAllowed."""


@dataclass(frozen=True, slots=True)
class Source:
    """All that the API stands on, and what the pages show."""

    trainings: Trainings
    connections: Connections
    toolchains: Toolchains
    views: Views
