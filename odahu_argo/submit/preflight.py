"""What can be seen on the cluster before anything is booked: whether a training could run there, and what is in its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from odahu_argo.plan.model import Plan
from odahu_argo.submit.cluster import Cluster

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `subject` in a word or two, `message` what was seen, `hint` the remedy."""

    level: Level
    subject: str
    message: str
    hint: str | None = None


def check(cluster: Cluster, plans: Sequence[Plan] = ()) -> tuple[Finding, ...]:
    """Everything that was looked at: the cluster itself, and whatever these plans need on it.

    Raises:
        Unreachable: the API does not answer.
    """
    return ()
