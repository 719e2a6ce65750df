"""Attempts of a step within one run, counted in the workspace, and the limits of its retries.

Argo counts all retries of a step together, and none of the pods that it recreates. A step therefore counts its starts
itself: a start follows either a fault that the step reported, or an interruption (SIGTERM, an eviction, a lost node), after
which the step is still marked as running. Each has its own limit. Argo's limit is their sum, and a step that has reached
one of them exits with a code that is not retried.

Another run, such as `train retry`, starts a new count. So does `argo retry`, which starts a step again that has failed.
The standard library only, like `markers`.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from odahu_argo.contract import (
    EXIT_FAULT,
    EXIT_FINAL_FAULT,
    LAST_ATTEMPT_FILE,
    LAUNCH_DIRECTORY,
    RETRIES_VARIABLE,
    RUN_VARIABLE,
    RUNNING_FILE,
    StepSpec,
    TrainSpec,
    Workspace,
    default_retries,
    spec_digest,
)
from odahu_argo.errors import OdahuArgoError
from odahu_argo.steps.markers import Marker


class RetriesExhausted(OdahuArgoError):
    """A limit of the retries is reached."""

    exit_code = EXIT_FINAL_FAULT


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """How often a step of a run was retried after faults and after interruptions, and started after it had finished.

    `has_failed` is true if it has failed without a further retry.
    """

    run: str
    faults: int = 0
    interruptions: int = 0
    finished_starts: int = 0
    has_failed: bool = False


class StepAttempt:
    """One attempt of a step in a pod. It counts as interrupted until `end` is called."""

    def __init__(self, spec: StepSpec, workspace: Workspace) -> None:
        self._run = os.environ.get(RUN_VARIABLE, "")
        self.spec = spec
        self._max_faults, self._max_interruptions = _limits(spec)
        name = f"{spec.kind}-{spec_digest(spec)}"
        self._file = workspace.root / "attempts" / f"{name}.json"
        launch = workspace.root / LAUNCH_DIRECTORY
        is_train = isinstance(spec, TrainSpec)
        self._running_file = launch / RUNNING_FILE if is_train else self._file.with_suffix(".running")
        self._last_attempt_file = launch / LAST_ATTEMPT_FILE if is_train else None
        self._counts = AttemptCounts(self._run)
        self.is_after_failure = False
        """Whether the step is started again although it had failed without a further retry: a person uses `argo retry`."""

    def start(self) -> None:
        """Count the start, unless the step runs outside Argo.

        Raises:
            RetriesExhausted: The step was interrupted too often.
            OSError: The disk failed.
        """
        if not self._run:
            return
        earlier = self._read()
        self.is_after_failure = earlier is not None and earlier.has_failed
        if earlier is not None and not earlier.has_failed:
            if self._running_file.exists():
                earlier = replace(earlier, interruptions=earlier.interruptions + 1)
            else:
                earlier = replace(earlier, faults=earlier.faults + 1)
            self._counts = earlier
        self._write()
        if self._counts.interruptions > self._max_interruptions:
            self._running_file.unlink(missing_ok=True)
            raise RetriesExhausted(
                f"step {self.spec.kind} was interrupted {self._counts.interruptions} times",
                hint=f"the profile's limit is retries.interrupted: {self._max_interruptions}; resume it with train retry",
            )
        self._running_file.parent.mkdir(parents=True, exist_ok=True)
        self._running_file.touch()
        if self._last_attempt_file is not None:
            self._last_attempt_file.unlink(missing_ok=True)
            if self._is_last:
                self._last_attempt_file.touch()

    def start_finished(self, marker: Marker) -> None:
        """Count the start of a step that has finished: Argo starts it again because it could not record its end.

        Raises:
            RetriesExhausted: Argo did so too often.
            OSError: The disk failed.
        """
        if not self._run:
            return
        earlier = self._read()
        if earlier is None or earlier.has_failed:
            earlier = self._counts
        self._counts = replace(earlier, finished_starts=earlier.finished_starts + 1)
        self._write()
        if self._counts.finished_starts > self._max_faults + 1:
            raise RetriesExhausted(
                f"step {self.spec.kind} finished at {marker.completed}, but Argo could not record its end",
                hint="check Argo's artifact repository, or set archive_logs: false; train retry continues after this step",
            )

    def end(self, exit_code: int) -> int:
        """Record that the step failed on its own, and return its exit code: a fault is final if no retry is left."""
        if not self._run:
            return exit_code
        if exit_code == EXIT_FAULT and self._is_last:
            exit_code = EXIT_FINAL_FAULT
        with suppress(OSError):
            self._running_file.unlink(missing_ok=True)
            if exit_code != EXIT_FAULT:
                self._counts = replace(self._counts, has_failed=True)
                self._write()
        return exit_code

    @property
    def _is_last(self) -> bool:
        return self._counts.faults >= self._max_faults

    def _read(self) -> AttemptCounts | None:
        """Return the counts of this run's earlier attempts, or None before the first one."""
        try:
            counts = AttemptCounts(**json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return counts if counts.run == self._run else None

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(f"{self._file}.partial")
        partial.write_text(json.dumps(asdict(self._counts)), "utf-8")
        partial.replace(self._file)


def _limits(spec: StepSpec) -> tuple[int, int]:
    faults, _, interruptions = os.environ.get(RETRIES_VARIABLE, "").partition(",")
    if faults.isdigit() and interruptions.isdigit():
        return int(faults), int(interruptions)
    return default_retries(spec.kind)
