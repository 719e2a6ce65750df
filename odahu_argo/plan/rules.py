"""Checks of a resolved training beyond the types of its fields. Offline; each problem has its line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from odahu_argo import quantity
from odahu_argo.errors import Problem
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS, ResolvedTraining
from odahu_argo.naming import LABEL_PATTERN
from odahu_argo.plan.resources import gpu_count, select_pools
from odahu_argo.pools import Pool, format_selector
from odahu_argo.profile import Profile
from odahu_argo.validation import comma_hint
from odahu_argo.yaml_values import Path

ODAHU_PROGRAMS = {
    "odahu-flow-mlflow-runner": "mlflow",
    "odahu-flow-mlflow-project-runner": "mlflow-project",
    "odahuflow-mlflow-runner": "mlflow",
}
"""Entrypoints of ODAHU's ToolchainIntegrations, paths in its images, and the equivalent built-in toolchains."""

_MLFLOW_NAME = re.compile(r"^[/\w.\- :]*$")
_MAX_MLFLOW_NAME_LENGTH = 250
_LOCAL_PATH_HINT = "a localPath that ends in / is a directory, any other a file; use different names"


def check(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """Yield every problem of a training that can be detected before it runs."""
    yield from _check_source(resolved)
    yield from _check_paths(resolved)
    yield from _check_environment(resolved)
    yield from _check_hyper_parameters(resolved)
    yield from _check_download_targets(resolved)
    yield from _check_amounts(resolved)
    yield from _check_toolchain(resolved)
    yield from _check_node_selector(resolved, profile)
    yield from _check_priority(resolved, profile)


def trainer_name(entrypoint: str) -> str | None:
    """Return the name of the toolchain that an entrypoint selects, or None if it is neither a name nor a path.

    Any name is valid: the training's image defines which toolchains exist, so that the result does not depend on what is
    installed on this machine. A path is a program of the image that follows ODAHU's protocol.
    """
    program = ODAHU_PROGRAMS.get(posixpath.basename(entrypoint))
    return program or (entrypoint if is_program(entrypoint) or LABEL_PATTERN.fullmatch(entrypoint) else None)


def is_program(trainer: str) -> bool:
    """Return whether a toolchain is the path of a program, such as `/usr/local/bin/training-data-helper`."""
    return "/" in trainer and not trainer.endswith("/") and trainer.isprintable()


def _check_source(resolved: ResolvedTraining) -> Iterator[Problem]:
    if resolved.needs.source and not resolved.training.spec.code.connection:
        hint = "set vcsName, or algorithmSource.vcs or algorithmSource.objectStorage as in ODAHU 1.5"
        yield Problem("required field is missing", resolved.document.location(("spec", "vcsName")), hint)


def _check_paths(resolved: ResolvedTraining) -> Iterator[Problem]:
    spec = resolved.training.spec
    local: list[tuple[Path, str]] = [(("spec", "workDir"), spec.work_dir)]
    local += [(("spec", "data", index, "localPath"), binding.local_path) for index, binding in enumerate(spec.data)]
    for path, value in local:
        first_part = posixpath.normpath(value).split("/")[0]
        if posixpath.isabs(value) or first_part == "..":
            hint = "write a path relative to the root of the repository"
            yield Problem(f"{value!r} is outside the repository", resolved.document.location(path), hint)
        elif first_part == ".git":
            hint = "write a path outside the .git directory"
            yield Problem(f"{value!r} is inside git's own directory", resolved.document.location(path), hint)
    code_path = spec.algorithm_source.object_storage.path
    remote: list[tuple[Path, str]] = [(("spec", "algorithmSource", "objectStorage", "path"), code_path)]
    remote += [(("spec", "data", index, "remotePath"), binding.remote_path) for index, binding in enumerate(spec.data)]
    for path, value in remote:
        if ".." in value.split("/"):
            hint = "write a path relative to the root of the bucket"
            yield Problem(f"{value!r} is outside the bucket", resolved.document.location(path), hint)


def _check_environment(resolved: ResolvedTraining) -> Iterator[Problem]:
    names = [env.name for env in resolved.training.spec.envs]
    for index, name in enumerate(names):
        if name in names[:index]:
            location = resolved.document.location(("spec", "envs", index, "name"))
            yield Problem(f"the environment variable {name!r} is defined twice", location, "remove one of them")


def _check_hyper_parameters(resolved: ResolvedTraining) -> Iterator[Problem]:
    is_logged_by_mlflow = trainer_name(resolved.toolchain.spec.entrypoint) in BUILT_IN_TOOLCHAINS
    for name in resolved.training.spec.hyper_parameters:
        path: Path = ("spec", "hyperParameters", name)
        location = resolved.document.location(path)
        if hint := comma_hint(resolved.document, path):
            yield Problem("a hyperparameter whose name is a number has no value", location, hint)
        elif is_logged_by_mlflow and (reason := invalid_parameter_name(name)):
            yield Problem(f"MLflow rejects the hyperparameter {name!r}: {reason}", location, "rename it")


def invalid_parameter_name(name: str) -> str | None:
    """Return why MLflow rejects the name of a parameter, or None if it accepts it.

    This is the rule of `mlflow.utils.validation._validate_param`, without the import of MLflow, which takes seconds.
    """
    if not _MLFLOW_NAME.match(name):
        return "a name consists of letters, digits, spaces and _-.:/"
    if not name:
        return "a name must not be empty"
    path = posixpath.normpath(name)
    if path != name or path == "." or path.startswith(("..", "/")):
        return f"a name must not be another path in different notation; this one is the path {path!r}"
    if len(name) > _MAX_MLFLOW_NAME_LENGTH:
        return f"a name has at most {_MAX_MLFLOW_NAME_LENGTH} characters"
    return None


def _check_download_targets(resolved: ResolvedTraining) -> Iterator[Problem]:
    bindings = resolved.training.spec.data
    targets = [posixpath.normpath(binding.local_path) for binding in bindings]
    is_file = [
        bool(binding.local_path) and not binding.local_path.endswith("/") and target != "."
        for binding, target in zip(bindings, targets, strict=True)
    ]
    for index, target in enumerate(targets):
        location = resolved.document.location(("spec", "data", index, "localPath"))
        for earlier, other in enumerate(targets[:index]):
            if target == other and is_file[index] and is_file[earlier]:
                yield Problem(
                    f"two downloads write the file {target!r}", location, "use a different localPath for each"
                )
                break
            elif is_file[earlier] and f"{target}/".startswith(f"{other}/"):
                yield Problem(f"{other!r} is a file of another download, not a directory", location, _LOCAL_PATH_HINT)
                break
            elif is_file[index] and f"{other}/".startswith(f"{target}/"):
                yield Problem(f"{target!r} is a directory of another download, not a file", location, _LOCAL_PATH_HINT)
                break


def _check_amounts(resolved: ResolvedTraining) -> Iterator[Problem]:
    requirements = resolved.training.spec.resources
    for name in ("cpu", "memory"):
        limit, request = getattr(requirements.limits, name), getattr(requirements.requests, name)
        if limit and request and quantity.amount(request) > quantity.amount(limit):
            location = resolved.document.location(("spec", "resources", "requests", name))
            yield Problem(f"the request of {request} exceeds the limit of {limit}", location, "increase the limit")
    limit, request = requirements.limits.gpu, requirements.requests.gpu
    if limit and request and limit != request:
        location = resolved.document.location(("spec", "resources", "requests", "gpu"))
        message = f"requests.gpu is {request} and limits.gpu is {limit}; Kubernetes requires equal values"
        yield Problem(message, location, "remove the request")


def _check_toolchain(resolved: ResolvedTraining) -> Iterator[Problem]:
    entrypoint = resolved.toolchain.spec.entrypoint
    if trainer_name(entrypoint) is None:
        message = (
            f"the entrypoint {entrypoint!r} of toolchain {resolved.toolchain.id!r} is neither the name of a toolchain"
            " nor the path of a program"
        )
        hint = (
            f"set the entrypoint to {' or '.join(BUILT_IN_TOOLCHAINS)}, to the path of a program that follows ODAHU's"
            " protocol, or to the name of a toolchain that a package in the image provides"
            " (docs/guides/custom-toolchain.md)"
        )
        yield Problem(message, resolved.document.location(("spec", "toolchain")), hint)


def _check_node_selector(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """Like ODAHU, accept only the selector of a node pool of the kind that the training needs: GPU or CPU."""
    spec = resolved.training.spec
    selector, is_gpu = dict(spec.node_selector), gpu_count(spec.resources) > 0
    if select_pools(profile.pools, is_gpu, selector):
        return
    pools: Sequence[Pool] = profile.pools.gpu if is_gpu else profile.pools.cpu
    selectors = " or ".join(format_selector(pool.node_selector) for pool in pools if pool.node_selector)
    message = f"no {'GPU' if is_gpu else 'CPU'} node pool of the profile has the selector {format_selector(selector)}"
    hint = f"set it to {selectors}, or remove nodeSelector" if selectors else "remove nodeSelector"
    yield Problem(message, resolved.document.location(("spec", "nodeSelector")), hint)


def _check_priority(resolved: ResolvedTraining, profile: Profile) -> Iterator[Problem]:
    """Reject a priority without a queue: only Kueue reads it. An invalid queue is reported on its own."""
    spec = resolved.training.spec
    pools = select_pools(profile.pools, gpu_count(spec.resources) > 0, spec.node_selector)
    has_queue = ("spec", "queue") in resolved.document.lines
    if spec.priority and not (has_queue or profile.queue or any(pool.queue for pool in pools)):
        hint = "set spec.queue, set a queue in the profile, or remove priority"
        yield Problem("priority has no effect without a queue", resolved.document.location(("spec", "priority")), hint)
