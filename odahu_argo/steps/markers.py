"""Completion markers: a step that finished leaves one in the workspace, and later attempts of it do nothing.

The marker of a step is the file `completed/<kind>-<digest>.json` of the workspace with the time and the step's results. The
digest covers the step's specification, so a step with a changed specification runs. Before a step runs, the markers of the
steps that depend on it are removed.

The standard library only: a finished step must exit before anything heavy is imported.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from odahu_argo.contract import (
    ARTIFACT_NAME,
    COMMIT_ID,
    COMPLETED_FILE,
    LAUNCH_DIRECTORY,
    MARKER_FILE,
    PROGRAM_RECORD,
    RUN_ID,
    DownloadSpec,
    StepSpec,
    TrainSpec,
    Workspace,
    spec_digest,
)
from odahu_argo.launcher.marker import flush_disk

_ORDER = ("checkout", "download", "train", "package")
_RESULTS = {"checkout": (COMMIT_ID,), "train": (RUN_ID,), "package": (RUN_ID, ARTIFACT_NAME)}


@dataclass(frozen=True, slots=True)
class Marker:
    """When a step finished, as an RFC 3339 timestamp, and its results by name."""

    completed: str
    results: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"already completed at {self.completed}; nothing to do"


def marker_file(spec: StepSpec, workspace: Workspace) -> Path:
    """Return the path of a step's marker."""
    return workspace.completed / f"{spec.kind}-{spec_digest(spec)}.json"


def find_marker(spec: StepSpec, workspace: Workspace) -> Marker | None:
    """Return the marker of a finished step, or None. A file that is not a marker counts as missing."""
    try:
        values = json.loads(marker_file(spec, workspace).read_text("utf-8"))
        return Marker(str(values["completed"]), {str(name): str(value) for name, value in values["results"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def restore_results(marker: Marker, workspace: Workspace) -> None:
    """Write the results of a finished step again, for later steps and Argo's output parameters.

    Raises:
        OSError: The disk failed.
    """
    for name, value in marker.results.items():
        workspace.write_result(name, value)


def write_marker(spec: StepSpec, workspace: Workspace) -> None:
    """Mark a step as finished. In a pod, everything that it has written is on disk before the marker exists.

    Raises:
        OSError: The disk failed.
    """
    names = _RESULTS.get(spec.kind, ())
    results = {name: value for name in names if (value := workspace.read_result(name)) is not None}
    file = marker_file(spec, workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    flush_disk(str(workspace.root))
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        completed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        json.dump({"completed": completed, "results": results}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def prepare_launch_marker(spec: TrainSpec, marker: Marker | None, workspace: Workspace) -> None:
    """Inform the launch, which runs in another container, that the training has finished, or where to write its marker.

    Raises:
        OSError: The disk failed.
    """
    directory = workspace.root / LAUNCH_DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    workspace.completed.mkdir(parents=True, exist_ok=True)
    (directory / MARKER_FILE).write_text(str(marker_file(spec, workspace).absolute()), "utf-8")
    completed_file = directory / COMPLETED_FILE
    if marker is None:
        completed_file.unlink(missing_ok=True)
    else:
        completed_file.write_text(f"train: {marker}\n", "utf-8")


def remove_dependent_markers(spec: StepSpec, workspace: Workspace) -> None:
    """Remove the markers that become invalid when the step runs: those of later steps, and of itself.

    Downloads do not depend on each other.
    """
    is_code = isinstance(spec, DownloadSpec) and spec.is_code
    position = 0 if is_code else _ORDER.index(spec.kind)
    invalid = _ORDER[position + 1 :] if spec.kind == "download" and not is_code else _ORDER[position:]
    for file in list(workspace.completed.glob("*.json")):
        if file.name.partition("-")[0] in invalid:
            file.unlink(missing_ok=True)
    if spec.kind in ("checkout", "download"):
        with suppress(FileNotFoundError):
            (workspace.root / LAUNCH_DIRECTORY / PROGRAM_RECORD).unlink()
