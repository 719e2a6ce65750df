"""What commands ask of the place where trainings run. A cluster and an API server both answer it, in the form of ODAHU's API.

The errors are those of `submit.cluster`, whoever answers. Every method may raise Forbidden and Unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from odahu_argo.kube.apply import Outcome
from odahu_argo.manifest.load import Manifests
from odahu_argo.preflight.result import Finding
from odahu_argo.trainings.follow import TimeIsUp
from odahu_argo.trainings.logs import Line
from odahu_argo.trainings.watch import Deleted, InSight, OutOfSight

Form = dict[str, Any]
"""A training, connection or toolchain in the form of ODAHU's API: kind, id, createdAt, updatedAt, spec, status."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The training as it stands now, because it has changed."""

    form: Form


Watched = Seen | Deleted | OutOfSight | InSight
Followed = Seen | Line | str | OutOfSight | InSight | TimeIsUp
"""A text alone says something of the log: what is missing of it."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a training that was submitted. `address` is a page to see it on, where one is known.

    `is_new` is False where the very same training goes on already, and was left alone.
    """

    training_id: str
    words: str
    is_new: bool = True
    address: str = ""


class Batch(Protocol):
    """Trainings of manifests, ready to be submitted."""

    @property
    def ids(self) -> Sequence[str]:
        """In the order of the manifests."""

    @property
    def schedules(self) -> Sequence[tuple[str, str]]:
        """The trainings that ask for a schedule, each with it in words."""

    def preflight(self, ids: Sequence[str]) -> Sequence[Finding]:
        """What can be seen of what is in the way of these before they are submitted."""

    def check(self) -> None:
        """See that all would be taken, as far as that can be asked without submitting one. UserError."""

    def try_out(self, training_id: str) -> str:
        """What would be done, in a sentence. AlreadyExists, UserError."""

    def create(self, training_id: str) -> Submitted:
        """Submit it, once. AlreadyExists, UserError."""

    def edit(self, training_id: str) -> Submitted:
        """Stop the run before, and submit it. NotFound, UserError."""


class Trainings(Protocol):
    """Trainings by id; those of one training may raise NotFound."""

    def all(self) -> list[Form]:
        """Every training, by id."""

    def ids(self) -> list[str]:
        """The id of every training."""

    def get(self, training_id: str) -> Form:
        """One training."""

    def batch(self, manifests: Manifests, training_id: str | None, external: Sequence[str] = ()) -> Batch:
        """The trainings of the manifests, or the one called so. UserError with every problem."""

    def delete(self, training_id: str) -> None:
        """Remove it with its runs; trained models stay."""

    def watch(self, training_id: str | None) -> Iterator[Watched]:
        """Every training, or one, as it stands, then each change, without end."""

    def follow(self, training_id: str, timeout: float | None) -> Iterator[Followed]:
        """How it stands and what it prints, until it has ended or so many seconds have passed."""

    def log(self, training_id: str, step: str | None, follow: bool) -> Iterator[Line | str]:
        """What its steps have printed, or one; with `follow` until it has ended. UserError: there is no such step."""

    def remedy(self, training_id: str) -> str:
        """What to do with a training that has failed."""


class Kept(Protocol):
    """Connections, or toolchains, by id."""

    def all(self, decrypted: bool = False) -> list[Form]:
        """Every one, by id; secret values are masked unless `decrypted`."""

    def get(self, wanted: str, decrypted: bool = False) -> Form:
        """One. NotFound."""

    def check(self, manifest: Any) -> None:
        """See that it would be taken. UserError."""

    def require(self, wanted: str) -> None:
        """See that there is one to be changed. NotFound."""

    def require_own(self, wanted: str) -> None:
        """See that there is one to be deleted. NotFound."""

    def create(self, manifest: Any, dry_run: bool = False) -> None:
        """Keep a new one; with `dry_run` only see whether that could be. AlreadyExists, UserError."""

    def apply(self, manifest: Any) -> Outcome:
        """Keep it, new or changed. UserError."""

    def delete(self, wanted: str) -> list[str]:
        """Remove one; gives what else is to be said. NotFound, UserError."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where trainings run.

    `place` says so in a few words, such as `in namespace ml`; by the `arguments` commands are led there again; `ending` says
    how a training that goes on is ended.
    """

    place: str
    arguments: str
    ending: str
    trainings: Trainings
    connections: Kept
    toolchains: Kept
