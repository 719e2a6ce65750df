"""Mistakes that a single manifest, right in all its types, can still hold. Offline; each comes with its line."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from odahu_argo import artifact_name, quantity
from odahu_argo.document import Path
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.resolve import ResolvedTraining
from odahu_argo.profile import Profile

TRAINERS = {"mlflow": "mlflow", "odahuflow-mlflow-runner": "mlflow"}
"""The program that a toolchain's entrypoint names, by the last part of its path, to our trainer."""


def mistakes(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """Every mistake that can be told before anything runs."""
    yield from _artifact_name(resolved)
    yield from _paths(resolved)
    yield from _repetitions(resolved)
    yield from _amounts(resolved, profile)
    yield from _toolchain(resolved)


def trainer(entrypoint: str) -> str | None:
    """Our trainer for a toolchain's entrypoint (ODAHU's registrations give a path in its own image), or None."""
    return TRAINERS.get(posixpath.basename(entrypoint))


def _artifact_name(resolved: ResolvedTraining) -> Iterator[Problem]:
    model = resolved.training.spec.model
    try:
        artifact_name.check(model.artifact_name_template, model.name, model.version)
    except UserError as error:
        where = resolved.document.where(("spec", "model", "artifactNameTemplate"))
        yield from (Problem(problem.message, where, problem.hint) for problem in error.problems)


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
    for index, binding in enumerate(spec.data):
        where = resolved.document.where(("spec", "data", index, "remotePath"))
        if ".." in binding.remote_path.split("/"):
            yield Problem(f"{binding.remote_path!r} leaves the bucket", where, "write the path from the bucket's root")


def _repetitions(resolved: ResolvedTraining) -> Iterator[Problem]:
    spec = resolved.training.spec
    names = [env.name for env in spec.envs]
    for index, name in enumerate(names):
        if name in names[:index]:
            where = resolved.document.where(("spec", "envs", index, "name"))
            yield Problem(f"the environment variable {name!r} is set twice", where, "remove one")
    targets = [posixpath.normpath(b.local_path) for b in spec.data if not b.local_path.endswith("/")]
    files = [(i, posixpath.normpath(b.local_path)) for i, b in enumerate(spec.data) if not b.local_path.endswith("/")]
    for position, (index, target) in enumerate(files):
        if target in targets[:position]:
            where = resolved.document.where(("spec", "data", index, "localPath"))
            yield Problem(f"two downloads write {target!r}", where, "give each its own localPath")


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
        message = (
            f"the toolchain {resolved.toolchain.id!r} trains with {spec.entrypoint!r}, which odahu-argo does not know"
        )
        yield Problem(message, resolved.document.where(("spec", "toolchain")), f"known: {', '.join(TRAINERS)}")
