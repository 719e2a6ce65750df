"""Toolchains: the protocol, and the registry of built-in toolchains and those of installed packages.

A package registers a toolchain as an entry point of the group `odahu_argo.toolchains`. The entry point's name is what a
ToolchainIntegration calls `entrypoint`; it refers to any object with the functions of `Toolchain`, such as a module
(docs/guides/custom-toolchain.md). Only steps search the registry; compiling a training does not depend on installed packages.
"""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from odahu_argo.contract import PackageSpec, TrainSpec, Workspace
from odahu_argo.errors import UserError

GROUP = "odahu_argo.toolchains"
BUILT_IN = {
    "mlflow": "odahu_argo.steps.mlflow.toolchains:mlflow_toolchain",
    "mlflow-project": "odahu_argo.steps.mlflow.toolchains:mlflow_project_toolchain",
}


class Toolchain(Protocol):
    """How a model is trained and its artifact is filled.

    Each function runs in its own process, with the training's environment variables set, and may run again after a
    transient fault. It prints plain lines (`odahu_argo.steps.runtime.log`) and raises `UserError` for problems that the user
    must fix, `ServiceFault` for transient ones. On SIGTERM its child processes are terminated, and the step exits with 143.
    """

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Train from the checkout in `workspace.repository`, the working directory; `spec.work_dir` is inside it.

        Files for the artifact go to `workspace.output`, an empty directory. A toolchain with its own run IDs calls
        `workspace.write_result(RUN_ID, ...)` as soon as the ID exists; otherwise a random one is generated.
        """

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Write the artifact's content to the empty directory `content`; `steps.output.fill` copies `workspace.output`.

        Without an `odahuflow.project.yaml` in it, one with the model's name, version and run ID is added.
        """


def find_toolchain(name: str) -> Toolchain:
    """Load the toolchain with this name. A path is a program of the training's image that follows ODAHU's protocol.

    Raises:
        UserError: No toolchain or more than one has this name; it cannot be loaded, or lacks a function.
    """
    if "/" in name:
        from odahu_argo.steps.odahu_program import OdahuProgram

        return OdahuProgram(name)
    registered = [EntryPoint(built_in, value, GROUP) for built_in, value in BUILT_IN.items()]
    registered += entry_points(group=GROUP)
    matching = [entry for entry in registered if entry.name == name]
    if not matching:
        raise UserError(
            f"toolchain {name!r} is not installed", _unknown_name_hint(name, [entry.name for entry in registered])
        )
    if len(matching) > 1:
        packages = " and ".join(sorted(_package_of(entry) for entry in matching))
        raise UserError(f"toolchain {name!r} is provided by {packages}", "uninstall or rename one of them")
    return _load(matching[0])


def _load(entry: EntryPoint) -> Toolchain:
    try:
        loaded = entry.load()
    except Exception as error:
        raise UserError(
            f"toolchain {entry.name!r} of {_package_of(entry)} cannot be loaded: {type(error).__name__}: {error}",
            "install its dependencies in the training's image, or fix its entry point",
        ) from error
    missing = [function for function in ("train", "fill") if not callable(getattr(loaded, function, None))]
    if missing:
        raise UserError(
            f"toolchain {entry.name!r} of {_package_of(entry)} has no function {' and no '.join(missing)}",
            f"{entry.value} must provide train(spec, workspace) and fill(content, spec, workspace)",
        )
    toolchain: Toolchain = loaded
    return toolchain


def _package_of(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "odahu-argo"


def _unknown_name_hint(name: str, registered: list[str]) -> str:
    similar = difflib.get_close_matches(name, registered, n=1)
    suggestion = f"did you mean {similar[0]!r}? " if similar else ""
    return f"{suggestion}installed: {', '.join(sorted(registered))}; the training's image must contain its package"
