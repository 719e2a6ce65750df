"""Lists of trainings: filters, order and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from odahu_argo.trainings.model import Training


@dataclass(frozen=True, slots=True)
class TrainingFilter:
    """Values that the newest attempt of a training must have. An empty field allows every value.

    `text` contains words that the ID, state, reason, message, model name or version must contain, in upper or lower case.
    """

    states: Sequence[str] = ()
    model_names: Sequence[str] = ()
    model_versions: Sequence[str] = ()
    toolchains: Sequence[str] = ()
    text: str = ""

    @property
    def words(self) -> Sequence[str]:
        """The words of `text` in lower case."""
        return self.text.lower().split()

    def matches(self, training: Training) -> bool:
        """Return whether the training has one of the values of each field, and all words."""
        newest = training.newest
        values = (newest.status.state, newest.model_name, newest.model_version, newest.toolchain)
        fields = (self.states, self.model_names, self.model_versions, self.toolchains)
        has_values = all(not allowed or value in allowed for value, allowed in zip(values, fields, strict=True))
        return has_values and contains_words(training, self.words)


def contains_words(training: Training, words: Sequence[str]) -> bool:
    """Return whether the texts of a training in a list contain all words, which are in lower case."""
    if not words:
        return True
    newest, status = training.newest, training.status
    texts = (training.id, status.state, status.reason, status.message, newest.model_name, newest.model_version)
    text = " ".join(texts).lower()
    return all(word in text for word in words)


def newest_first(trainings: Iterable[Training]) -> list[Training]:
    """Sort trainings by the submission of their newest attempt, then by ID."""
    by_id = sorted(trainings, key=lambda training: training.id)
    return sorted(by_id, key=lambda training: training.newest.created, reverse=True)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a list, sorted by time or by ID.

    Attributes:
        number: Number of the page, from 1.
        size: Largest number of trainings on a page.
        is_newest_first: Whether to sort by the submission of the newest attempt instead of the ID.
        is_summary: Whether the steps, and the specs except for the model, may be missing.
        allows_outdated: Whether the last known trainings are better than an error while the backend cannot be reached.
    """

    number: int
    size: int
    is_newest_first: bool = False
    is_summary: bool = False
    allows_outdated: bool = False


@dataclass(frozen=True, slots=True)
class Outage:
    """Why, and since when, the backend of a list cannot be reached."""

    since: datetime
    message: str


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """One page of the trainings that match a filter.

    Attributes:
        trainings: The trainings on the page.
        number: Number of the page, from 1. A page after the last one is the last one.
        total: Number of trainings on all pages.
        size: Largest number of trainings on a page.
        counts: Number of trainings by state, whether or not the filter matches them.
        outage: Why the page may be outdated; None if it is not.
    """

    trainings: Sequence[Training]
    number: int
    total: int
    size: int
    counts: Mapping[str, int] = field(default_factory=dict)
    outage: Outage | None = None

    @property
    def last(self) -> int:
        """Number of the last page."""
        return last_page(self.total, self.size)


def select_page(all_trainings: Iterable[Training], selection: TrainingFilter, request: PageRequest) -> TrainingPage:
    """Return a page of the matching trainings. Without `is_newest_first`, keep their order."""
    trainings = newest_first(all_trainings) if request.is_newest_first else list(all_trainings)
    selected = [training for training in trainings if selection.matches(training)]
    counts: Counter[str] = Counter(training.status.state for training in trainings)
    number = min(request.number, last_page(len(selected), request.size))
    first = (number - 1) * request.size
    return TrainingPage(selected[first : first + request.size], number, len(selected), request.size, counts)


def last_page(total: int, size: int) -> int:
    """Return the number of the last page. An empty list has one page."""
    return max(1, -(-total // size))
