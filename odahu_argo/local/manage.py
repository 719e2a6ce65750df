"""Lifecycle of local trainings outside the engine: start in the background, stop, clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked, lock_owner, training_lock
from odahu_argo.local.prepare import clean_up_after_crash, remove_tree
from odahu_argo.local.queries import get_training, list_trainings
from odahu_argo.local.store import LocalTraining, TrainingStore, utc_now

START_TIMEOUT = 120.0
"""Seconds until a run must have recorded its start. The first run creates MLflow's tracking store before that."""
STOP_TIMEOUT = 10.0
"""Seconds that processes get to exit after the first signal; three times as long after the second, which kills them."""
_POLL_INTERVAL = 0.05
_MAX_ERROR_SIZE = 4096
"""Bytes of error output to report for a run that did not start."""


def start(manifests: str, training_id: str, home: Home, profile: Path | None, is_strict: bool = False) -> LocalTraining:
    """Start `odahu-argo local train run` in the background and return the record of the new run.

    The manifests and the connections they use are passed through a pipe and never written to disk.

    Raises:
        UserError, ServiceFault: the run did not start; the message is the one it printed.
    """
    previous = TrainingStore(home.store_file).get(training_id)
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "--id", training_id, "-f", "-", "--quiet"]
    if is_strict:
        command.append("--strict")
    if profile is not None:
        command += ["--profile", str(profile.absolute())]
    with tempfile.TemporaryFile() as error_output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=error_output,
            env=os.environ | home.environment,
            start_new_session=True,
        )
        threading.Thread(target=process.wait, daemon=True).start()
        _send_manifests(process, manifests)
        training = _wait_for_record(process, previous, training_id, home)
        if training is not None:
            return training
        error_output.seek(0)
        raise _start_error(process, error_output.read(_MAX_ERROR_SIZE).decode("utf-8", "replace"))


def _send_manifests(process: subprocess.Popen[bytes], manifests: str) -> None:
    """Write the manifests to the process. A process that exits before reading them reports its own error."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stream:
        stream.write(manifests.encode())


def _wait_for_record(
    process: subprocess.Popen[bytes], previous: LocalTraining | None, training_id: str, home: Home
) -> LocalTraining | None:
    """Return the record of the new run, or None if the process exits or the timeout expires before it is written."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        has_exited = process.poll() is not None
        training = TrainingStore(home.store_file).get(training_id)
        if training is not None and (previous is None or training.created != previous.created):
            return training
        if has_exited:
            return None
        time.sleep(_POLL_INTERVAL)
    process.terminate()
    return None


def _start_error(process: subprocess.Popen[bytes], output: str) -> OdahuArgoError:
    lines = [line.strip() for line in output.splitlines() if not line.startswith(("note:", "warning:"))]
    message = " ".join(lines).removeprefix("error: ") or "the run did not start"
    return UserError(message) if process.poll() == UserError.exit_code else ServiceFault(message)


def stop(home: Home, training_id: str) -> None:
    """Stop a run as Ctrl-C does. Stopping a training that is not running is not an error.

    Raises:
        UserError: there is no such training, or its process belongs to another user.
        ServiceFault: its processes do not exit.
    """
    for timeout in (STOP_TIMEOUT, 3 * STOP_TIMEOUT):
        if not (get_training(home, training_id).is_live and is_locked(home, training_id)):
            return
        owner = lock_owner(home, training_id)
        if owner is not None and owner != os.getpid():
            _terminate(owner)
        deadline = time.monotonic() + timeout
        while is_locked(home, training_id) and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL)
    if is_locked(home, training_id):
        raise ServiceFault(f"training {training_id!r} does not stop", hint="check its processes and try again")


def _terminate(process_id: int) -> None:
    try:
        os.kill(process_id, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UserError(f"cannot stop the training: its process {process_id} belongs to another user") from error


@dataclass(frozen=True, slots=True)
class RemovedItem:
    """Removed training or trained model, and its size in bytes."""

    id: str
    size: int


def select_removable(home: Home, training_id: str | None, older_than: int | None) -> list[LocalTraining]:
    """Return trainings that are not running: the one with this ID or all, last updated over `older_than` seconds ago.

    Raises:
        UserError: there is no training with this ID, or it is running.
    """
    trainings = [get_training(home, training_id)] if training_id else list_trainings(home)
    if training_id and is_locked(home, training_id):
        raise UserError(f"training {training_id!r} is running", hint="stop it first")
    completed = [training for training in trainings if not training.is_live]
    if older_than is None:
        return completed
    limit = datetime.fromisoformat(utc_now()) - timedelta(seconds=older_than)
    return [training for training in completed if datetime.fromisoformat(training.updated) <= limit]


def remove(home: Home, training_id: str) -> RemovedItem:
    """Remove the workspace, logs and record of a training. Its trained model and its MLflow run are kept.

    Raises:
        UserError: the training is running.
        ServiceFault: a file cannot be removed.
    """
    folder = home.run(training_id).root
    with training_lock(home, training_id):
        clean_up_after_crash(home, training_id)
        size = size_of(folder)
        try:
            remove_tree(folder)
        except OSError as error:
            raise ServiceFault(f"cannot remove {error.filename}: {error.strerror}") from error
        TrainingStore(home.store_file).delete(training_id)
    return RemovedItem(training_id, size)


def size_of(folder: Path) -> int:
    """Return the size of all files below a folder in bytes."""
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)
