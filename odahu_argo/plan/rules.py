"""Mistakes that a single manifest, right in all its types, can still hold. Offline; each comes with its line."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from odahu_argo import quantity
from odahu_argo.errors import Problem
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS, ResolvedTraining
from odahu_argo.naming import LABEL_PATTERN
from odahu_argo.plan.model import Amounts, Placement
from odahu_argo.profile import Pool, Pools, Profile, ResourceRequirements
from odahu_argo.yaml_values import Path


def gpus(wanted: ResourceRequirements) -> int:
    """The GPUs that a training asks for, by limits or requests; Kubernetes wants both to be equal, so one is enough."""
    return quantity.whole_number(wanted.limits.gpu or wanted.requests.gpu or "0")


def amounts(wanted: ResourceRequirements, default: ResourceRequirements) -> tuple[Amounts, Amounts]:
    """Limits and requests: what is wanted, else the default; a default never contradicts what was wanted.

    Where only a request is given that is above the default limit, it becomes the limit too; where only a limit is given that
    is below the default request, it becomes the request too.
    """
    cpu_limit, cpu_request = _pair(wanted.limits.cpu, wanted.requests.cpu, default.limits.cpu, default.requests.cpu)
    memory_limit, memory_request = _pair(
        wanted.limits.memory, wanted.requests.memory, default.limits.memory, default.requests.memory
    )
    limits = Amounts(cpu_limit, memory_limit, gpus(wanted))
    return limits, Amounts(cpu_request, memory_request)


def placement(pools: Pools, gpu: bool) -> Placement:
    """The pool's selector and tolerations as they stand in the profile."""
    pool: Pool = pools.gpu if gpu else pools.cpu
    tolerations = tuple(
        {name: value for name, value in toleration if value is not None} for toleration in pool.tolerations
    )
    return Placement("gpu" if gpu else "cpu", pool.node_selector, tolerations)


def _pair(
    limit: str | None, request: str | None, usual_limit: str | None, usual_request: str | None
) -> tuple[str, str]:
    if limit is None:
        limit = _larger(usual_limit, request)
    if request is None:
        request = _smaller(usual_request, limit)
    return limit, request


def _larger(usual: str | None, given: str | None) -> str:
    known = [value for value in (usual, given) if value]
    return max(known, key=quantity.amount) if known else ""


def _smaller(usual: str | None, limit: str) -> str:
    known = [value for value in (usual, limit) if value]
    return min(known, key=quantity.amount) if known else ""


ODAHU_PROGRAMS = {
    "odahu-flow-mlflow-runner": "mlflow",
    "odahu-flow-mlflow-project-runner": "mlflow-project",
    "odahuflow-mlflow-runner": "mlflow",
}
"""The programs that ODAHU's registrations name by a path in its own image, to the toolchains here that do the same."""


_SAME_NAME = "a localPath that ends in / is a folder, any other a file; choose names that differ"


def mistakes(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """Every mistake that can be told before anything runs."""
    yield from _paths(resolved)
    yield from _repetitions(resolved)
    yield from _amounts(resolved, profile)
    yield from _toolchain(resolved)
    yield from _node_selector(resolved, profile)


def trainer(entrypoint: str) -> str | None:
    """The toolchain that an entrypoint names, or None where it is a path to an unknown program, or can be no name.

    Any name passes: whether the training's image has a toolchain of this name is found there, so that what is compiled does
    not depend on what is installed here.
    """
    known = ODAHU_PROGRAMS.get(posixpath.basename(entrypoint))
    return known or (entrypoint if LABEL_PATTERN.fullmatch(entrypoint) else None)


def _paths(resolved: ResolvedTraining) -> Iterator[Problem]:
    spec = resolved.training.spec
    inside: list[tuple[Path, str]] = [(("spec", "workDir"), spec.work_dir)]
    inside += [(("spec", "data", index, "localPath"), binding.local_path) for index, binding in enumerate(spec.data)]
    for path, value in inside:
        if posixpath.isabs(value) or posixpath.normpath(value).split("/")[0] == "..":
            message = f"{value!r} leaves the repository"
            yield Problem(message, resolved.document.where(path), "write a path relative to the repository's root")
        elif posixpath.normpath(value).split("/")[0] == ".git":
            yield Problem(f"{value!r} is git's own folder", resolved.document.where(path))
    remote: list[tuple[Path, str]] = [(("spec", "algorithmSource", "objectStorage", "path"), _code_path(resolved))]
    remote += [(("spec", "data", index, "remotePath"), binding.remote_path) for index, binding in enumerate(spec.data)]
    for path, value in remote:
        if ".." in value.split("/"):
            hint = "write the path from the bucket's root"
            yield Problem(f"{value!r} leaves the bucket", resolved.document.where(path), hint)


def _code_path(resolved: ResolvedTraining) -> str:
    return resolved.training.spec.algorithm_source.object_storage.path


def _repetitions(resolved: ResolvedTraining) -> Iterator[Problem]:
    spec = resolved.training.spec
    names = [env.name for env in spec.envs]
    for index, name in enumerate(names):
        if name in names[:index]:
            where = resolved.document.where(("spec", "envs", index, "name"))
            yield Problem(f"the environment variable {name!r} is set twice", where, "remove one")
    targets = [posixpath.normpath(binding.local_path) for binding in spec.data]
    is_file = [
        bool(b.local_path) and not b.local_path.endswith("/") and t != "."
        for b, t in zip(spec.data, targets, strict=True)
    ]
    for index, target in enumerate(targets):
        where = resolved.document.where(("spec", "data", index, "localPath"))
        for earlier, other in enumerate(targets[:index]):
            if target == other and is_file[index] and is_file[earlier]:
                yield Problem(f"two downloads write {target!r}", where, "give each its own localPath")
                break
            elif is_file[earlier] and f"{target}/".startswith(f"{other}/"):
                yield Problem(f"{other!r} is the file of another download, and cannot be a folder", where, _SAME_NAME)
                break
            elif is_file[index] and f"{other}/".startswith(f"{target}/"):
                yield Problem(f"{target!r} is the folder of another download, and cannot be a file", where, _SAME_NAME)
                break


def _amounts(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    wanted = resolved.training.spec.resources
    for name in ("cpu", "memory"):
        limit, request = getattr(wanted.limits, name), getattr(wanted.requests, name)
        if limit and request and quantity.amount(request) > quantity.amount(limit):
            where = resolved.document.where(("spec", "resources", "requests", name))
            yield Problem(f"the request of {request} is above the limit of {limit}", where, "raise the limit")
    if wanted.limits.gpu and wanted.requests.gpu and wanted.limits.gpu != wanted.requests.gpu:
        where = resolved.document.where(("spec", "resources", "requests", "gpu"))
        message = f"requests {wanted.requests.gpu} GPUs and limits {wanted.limits.gpu}; Kubernetes wants both equal"
        yield Problem(message, where, "leave the request out")


def _toolchain(resolved: ResolvedTraining) -> Iterator[Problem]:
    spec = resolved.toolchain.spec
    if trainer(spec.entrypoint) is None:
        message = f"the toolchain {resolved.toolchain.id!r} trains with {spec.entrypoint!r}, which names no toolchain"
        hint = (
            f"its entrypoint must be {' or '.join(BUILT_IN_TOOLCHAINS)}, "
            "or the name under which a package in the image brings one (docs/guides/custom-toolchain.md)"
        )
        yield Problem(message, resolved.document.where(("spec", "toolchain")), hint)


def _node_selector(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """ODAHU took the selector of one of the site's node pools and no other."""
    wanted = dict(resolved.training.spec.node_selector)
    pool = profile.pools.gpu if gpus(resolved.training.spec.resources) else profile.pools.cpu
    if wanted and wanted != pool.node_selector:
        message = f"no node pool of the profile has the selector {_shown(wanted)}"
        labels = _shown(pool.node_selector) or "any labels"
        hint = f"leave nodeSelector out; this training would run on nodes with {labels}"
        yield Problem(message, resolved.document.where(("spec", "nodeSelector")), hint)


def _shown(selector: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in selector.items())
