"""Node pools of a profile: where steps run, with which tolerations, and under which name a GPU is requested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, field_validator, model_validator

from odahu_argo import quantity
from odahu_argo.naming import ID_PATTERN, LABEL_PATTERN
from odahu_argo.validation import Strict, check_duration, matching

UNLIMITED = "none"
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_ODAHU_POOLS = {"nodePools": ("cpu", "tolerations"), "gpuNodePools": ("gpu", "gpuTolerations")}
"""ODAHU's lists of node pools, the equivalent settings, and ODAHU's tolerations for all pools of a list."""


def _check_wait_limit(text: str) -> str:
    if text != UNLIMITED and quantity.seconds(text) == 0:
        raise ValueError(f"must be longer than 0s, or {UNLIMITED}")
    return text if text == UNLIMITED else check_duration(text)


Name = Annotated[str, matching(ID_PATTERN, "is not a Kubernetes name: 1 to 63 lowercase letters, digits and '-'")]
QueueName = Annotated[
    str,
    matching(
        _OBJECT_NAME, "is not the name of a queue: 1 to 63 lowercase letters, digits, '-' and '.', such as team-a"
    ),
]
PriorityName = Annotated[
    str,
    matching(
        _OBJECT_NAME,
        "is not the name of a priority class: 1 to 63 lowercase letters, digits, '-' and '.', such as high",
    ),
]
LabelKey = Annotated[str, matching(_LABEL_KEY, "is not a Kubernetes label name, such as node.example.org/pool")]
LabelValue = Annotated[str, matching(LABEL_PATTERN, "is not a Kubernetes label value", may_be_empty=True)]
WaitLimit = Annotated[str, AfterValidator(_check_wait_limit)]


class Toleration(Strict):
    """Toleration of a node taint, with the field names of Kubernetes."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: int | None = None


_GPU_TOLERATION = Toleration.model_construct(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")


class Pool(Strict):
    """Node pool: its name, the labels that select its nodes, and the taints that its pods tolerate.

    `queue` and `priority` apply to trainings on the pool that set none; they take precedence over those of the profile.
    """

    name: Name | None = None
    queue: QueueName | None = None
    priority: PriorityName | None = None
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()


class GpuPool(Pool):
    """Node pool with GPUs.

    `resource_name` is the name under which Kubernetes counts the GPUs. `pending_timeout` fails a run with a step that waits
    longer for a free node; the recorder enforces it. `none` means no limit.
    """

    resource_name: LabelKey = "nvidia.com/gpu"
    pending_timeout: WaitLimit = "30m"
    tolerations: tuple[Toleration, ...] = (_GPU_TOLERATION,)


class Pools(Strict):
    """Node pools of the steps. `cpu` and `gpu` are one pool or a list of pools.

    ODAHU's `nodePools`, `gpuNodePools`, `tolerations` and `gpuTolerations` are accepted instead. `other_steps` selects the
    pool for checkout, downloads and packaging of a GPU training. `on_cpu` requires volumes that can be attached in every
    zone. `with_training` runs all steps in the GPU pool: the workspace volume is created in a zone with GPU nodes, but a GPU
    node is also occupied during the downloads.
    """

    cpu: tuple[Pool, ...] = (Pool.model_construct(),)
    gpu: tuple[GpuPool, ...] = (GpuPool.model_construct(),)
    other_steps: Literal["on_cpu", "with_training"] = "on_cpu"

    @model_validator(mode="before")
    @classmethod
    def _convert_odahu_pools(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        converted = dict(values)
        for name, (kind, tolerations) in _ODAHU_POOLS.items():
            pools, common = converted.pop(name, None), converted.pop(tolerations, None)
            if (pools or common) and converted.get(kind):
                raise ValueError(f"{kind} and ODAHU's {name} are both set; keep one of them")
            if isinstance(pools or [], list) and (pools or common):
                converted[kind] = [_convert_odahu_pool(pool, common) for pool in pools or [{}]]
        return converted

    @field_validator("cpu", "gpu", mode="before")
    @classmethod
    def _single_pool_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict | Pool) else value

    @model_validator(mode="after")
    def _check_names(self) -> Pools:
        for kind, pools in (("cpu", self.cpu), ("gpu", self.gpu)):
            names = [pool.name for pool in pools if pool.name]
            if not pools:
                raise ValueError(f"{kind} has no pool; remove the setting to use any node")
            if duplicate := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"two {kind} pools have the name {duplicate!r}; rename one of them")
        return self


def format_selector(selector: Mapping[str, str]) -> str:
    """Return a node selector as text: `pool=gpu, zone=a`."""
    return ", ".join(f"{name}={value}" for name, value in selector.items())


def _convert_odahu_pool(pool: Any, tolerations: Any) -> Any:
    """Convert `{nodeSelector, tags}`. The tags are texts for people; a single one that is a valid name becomes the name."""
    if not isinstance(pool, dict):
        return pool
    converted = {"node_selector" if name == "nodeSelector" else name: value for name, value in pool.items()}
    tags = converted.pop("tags", None)
    if isinstance(tags, list) and len(tags) == 1 and isinstance(tags[0], str) and ID_PATTERN.fullmatch(tags[0]):
        converted.setdefault("name", tags[0])
    return converted if tolerations is None else {"tolerations": tolerations, **converted}
