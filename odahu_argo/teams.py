"""Teams of a profile and their quotas of the node pools, from which `setup queues` renders the objects of Kueue."""

from __future__ import annotations

from odahu_argo.pools import Name, QueueName
from odahu_argo.validation import Count, CpuAmount, MemoryAmount, Strict


class Quota(Strict):
    """Amounts of a node pool that the trainings of a team may use together. Unset GPUs are none."""

    cpu: CpuAmount
    memory: MemoryAmount
    gpu: Count = "0"


class Team(Strict):
    """Team with a queue of its name in `namespace`, by default the profile's. `quota` maps names of node pools to amounts.

    Teams borrow from each other what the others do not use.
    """

    name: QueueName
    namespace: Name | None = None
    quota: dict[str, Quota]
