"""Lists of trainings: filters and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from odahu_argo.trainings.model import Training


@dataclass(frozen=True, slots=True)
class TrainingFilter:
    """Values that the newest attempt of a training must have. An empty field allows every value."""

    states: Sequence[str] = ()
    model_names: Sequence[str] = ()
    model_versions: Sequence[str] = ()
    toolchains: Sequence[str] = ()

    def matches(self, training: Training) -> bool:
        """Return whether the training has one of the values of each field."""
        newest = training.newest
        values = (newest.status.state, newest.model_name, newest.model_version, newest.toolchain)
        fields = (self.states, self.model_names, self.model_versions, self.toolchains)
        return all(not allowed or value in allowed for value, allowed in zip(values, fields, strict=True))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a list, sorted by time or by ID.

    Attributes:
        number: Number of the page, from 1.
        size: Largest number of trainings on a page.
        is_newest_first: Whether to sort by the submission of the newest attempt instead of the ID.
        is_summary: Whether the specs except for the model, and the steps of trainings that have ended, may be missing.
    """

    number: int
    size: int
    is_newest_first: bool = False
    is_summary: bool = False


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """One page of the trainings that match a filter.

    Attributes:
        trainings: The trainings on the page.
        number: Number of the page, from 1. A page after the last one is the last one.
        total: Number of trainings on all pages.
        size: Largest number of trainings on a page.
        counts: Number of trainings by state, whether or not the filter matches them.
    """

    trainings: Sequence[Training]
    number: int
    total: int
    size: int
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """Number of the last page."""
        return _last_page(self.total, self.size)


def select_page(ordered: Iterable[Training], selection: TrainingFilter, request: PageRequest) -> TrainingPage:
    """Return a page of the matching trainings, in the given order."""
    trainings = list(ordered)
    selected = [training for training in trainings if selection.matches(training)]
    counts: Counter[str] = Counter(training.status.state for training in trainings)
    number = min(request.number, _last_page(len(selected), request.size))
    first = (number - 1) * request.size
    return TrainingPage(selected[first : first + request.size], number, len(selected), request.size, counts)


def _last_page(total: int, size: int) -> int:
    """Return the number of the last page. An empty list has one page."""
    return max(1, -(-total // size))
