"""Downloads run in parallel. If one fails without a further retry, the others end too, because the training cannot start.

The failed step leaves a file in the workspace, which the others look for. Argo itself lets them run to their end.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from odahu_argo.contract import CANCELLED, FAIL_FAST_VARIABLE, RUN_VARIABLE, DownloadSpec, StepSpec, Workspace

_POLL_INTERVAL = 1.0
_cancelled_by = ""


def report_final_failure(spec: StepSpec, workspace: Workspace) -> None:
    """Leave the file for the other downloads of this run, if a download has failed and is not retried."""
    if isinstance(spec, DownloadSpec) and _is_enabled():
        failure = {"run": os.environ[RUN_VARIABLE], "step": f"download-{spec.connection}"}
        with suppress(OSError):
            file = _file(workspace)
            partial = file.with_name(f".{file.name}.{os.getpid()}")
            partial.write_text(json.dumps(failure), "utf-8")
            partial.replace(file)


def forget_failure(spec: StepSpec, workspace: Workspace) -> None:
    """Remove the file, because a person starts the failed and cancelled downloads of this run again.

    Raises:
        OSError: The disk failed.
    """
    if isinstance(spec, DownloadSpec):
        _file(workspace).unlink(missing_ok=True)


def cancel_after_failure(spec: StepSpec, workspace: Workspace) -> None:
    """Send SIGTERM to this process as soon as another download of this run has failed without a further retry."""
    if isinstance(spec, DownloadSpec) and _is_enabled():
        threading.Thread(target=_watch, args=(workspace,), name="cancellation", daemon=True).start()


def cancellation() -> str:
    """Return why the step was cancelled, or an empty text."""
    return f"{CANCELLED}{_cancelled_by} failed" if _cancelled_by else ""


def _is_enabled() -> bool:
    return bool(os.environ.get(RUN_VARIABLE)) and os.environ.get(FAIL_FAST_VARIABLE) != "false"


def _watch(workspace: Workspace) -> None:
    global _cancelled_by
    while not _cancelled_by:
        with suppress(OSError, ValueError, KeyError, TypeError):
            failure = json.loads(_file(workspace).read_text("utf-8"))
            if failure["run"] == os.environ[RUN_VARIABLE]:
                _cancelled_by = str(failure["step"])
                os.kill(os.getpid(), signal.SIGTERM)
                return
        time.sleep(_POLL_INTERVAL)


def _file(workspace: Workspace) -> Path:
    return workspace.root / "failed.json"
