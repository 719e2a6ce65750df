"""What a toolchain is to the steps, and where they find it: ours, and those that installed packages bring along.

A package offers one by an entry point of the group `odahu_argo.toolchains`, whose name is what a ToolchainIntegration calls
`entrypoint`, and which leads to any object with the two functions of `Toolchain`: a module will do
(docs/guides/custom-toolchain.md).
Only steps look; a training is compiled without knowing what is installed where it will run.
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
    "mlflow": "odahu_argo.steps.toolchain_mlflow",
    "mlflow-project": "odahu_argo.steps.toolchain_mlflow_project",
}


class Toolchain(Protocol):
    """What trains a model and lays out its zip.

    Each function runs in a process of its own, with the training's environment variables set, and may be called again after
    a fault. It prints plain lines (`odahu_argo.steps.log`), raises `UserError` for what the user must mend, and
    `ServiceFault` for what may work on another try.
    """

    def train(self, spec: TrainSpec, workspace: Workspace) -> None:
        """Train from the checkout in `workspace.repository`, the current directory; `spec.work_dir` is known to stay inside.

        Files for the zip go to `workspace.output`, which is empty. A toolchain with its own run IDs calls
        `workspace.write_result(RUN_ID, ...)` as early as possible; otherwise a random ID is generated.
        """

    def fill(self, content: Path, spec: PackageSpec, workspace: Workspace) -> None:
        """Write the content of the zip to the empty directory `content`.

        `odahu_argo.steps.output.fill` copies `workspace.output` to it.

        Where no `odahuflow.project.yaml` is among it, one with the model's name, version and run id is added.
        """


def find(name: str) -> Toolchain:
    """The toolchain of this name.

    Raises:
        UserError: there is none, or more than one; it cannot be loaded, or lacks a function.
    """
    registered = _registered()
    found = [entry for entry in registered if entry.name == name]
    if not found:
        raise UserError(f"no toolchain {name!r} is installed here", _known(name, [e.name for e in registered]))
    if len(found) > 1:
        givers = " and ".join(sorted(_giver(entry) for entry in found))
        raise UserError(
            f"{givers} each bring a toolchain {name!r}", "leave one of them out, or give it a name of its own"
        )
    return _load(found[0])


def _registered() -> list[EntryPoint]:
    ours = [EntryPoint(name, module, GROUP) for name, module in BUILT_IN.items()]
    return [*ours, *entry_points(group=GROUP)]


def _load(entry: EntryPoint) -> Toolchain:
    try:
        loaded = entry.load()
    except Exception as error:
        raise UserError(
            f"the toolchain {entry.name!r} of {_giver(entry)} cannot be loaded: {type(error).__name__}: {error}",
            "install what it needs in the training's image, or correct its entry point",
        ) from error
    missing = [function for function in ("train", "fill") if not callable(getattr(loaded, function, None))]
    if missing:
        raise UserError(
            f"the toolchain {entry.name!r} of {_giver(entry)} has no function {' and no '.join(missing)}",
            f"{entry.value} must offer train(spec, workspace) and fill(content, spec, workspace)",
        )
    toolchain: Toolchain = loaded
    return toolchain


def _giver(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "odahu-argo"


def _known(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}there are: {', '.join(sorted(known))}; the package that brings it must be in the training's image"
