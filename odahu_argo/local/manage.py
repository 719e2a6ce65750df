"""Removing what trainings have left: workspace, logs and record."""

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
from urllib.parse import unquote, urlsplit

from odahu_argo.errors import OdahuArgoError, ServiceFault, UserError
from odahu_argo.local.home import Home
from odahu_argo.local.lock import is_locked, lock_owner, training_lock
from odahu_argo.local.prepare import clean_up_after_crash, remove_tree
from odahu_argo.local.queries import get_training, list_trainings
from odahu_argo.local.store import LocalTraining, TrainingStore, utc_now

BEGIN_PATIENCE = 120.0
"""Seconds until a run must have begun; MLflow's database takes some of them the first time."""
STOP_PATIENCE = 10.0
"""Seconds that processes have to end after a first signal, and three times that after the second, which kills them."""
_LOOK_EVERY = 0.05
_LONGEST_TOLD = 4096
"""Bytes of what a run that could not begin has said."""


def start(manifests: str, training_id: str, home: Home, profile: Path | None) -> LocalTraining:
    """Run the training as `odahu-argo local train run` does, in a process of its own, and return once it has begun.

    The manifests, with all connections that the training names, go through a pipe: nothing of them is written.

    Raises:
        UserError, ServiceFault: the run did not begin; the message is its own.
    """
    before = TrainingStore(home.store_file).get(training_id)
    command = [sys.executable, "-m", "odahu_argo", "local", "train", "run", "--id", training_id, "-f", "-", "--quiet"]
    if profile is not None:
        command += ["--profile", str(profile.absolute())]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | home.environment,
            start_new_session=True,
        )
        threading.Thread(target=process.wait, daemon=True).start()
        _hand_over(process, manifests)
        begun = _wait_for_record(process, before, training_id, home)
        if begun is not None:
            return begun
        said.seek(0)
        raise _fault(process, said.read(_LONGEST_TOLD).decode("utf-8", "replace"))


def stop(home: Home, training_id: str) -> None:
    """End a run that goes on, as Ctrl-C does; nothing happens where none does.

    Raises:
        UserError: there is no such training, or its process belongs to somebody else.
        ServiceFault: its processes do not end.
    """
    for patience in (STOP_PATIENCE, 3 * STOP_PATIENCE):
        if not (get_training(home, training_id).is_live and is_locked(home, training_id)):
            return
        number = lock_owner(home, training_id)
        if number is not None and number != os.getpid():
            _interrupt(number)
        until = time.monotonic() + patience
        while is_locked(home, training_id) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)
    if is_locked(home, training_id):
        raise ServiceFault(f"training {training_id!r} does not end", hint="look at its processes, and try again")


def _interrupt(process: int) -> None:
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UserError(f"the training runs in process {process} of another user") from error


def _hand_over(process: subprocess.Popen[bytes], manifests: str) -> None:
    """A process that ends before it has read them says why."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stream:
        stream.write(manifests.encode())


def _wait_for_record(
    process: subprocess.Popen[bytes], before: LocalTraining | None, training_id: str, home: Home
) -> LocalTraining | None:
    """The record of the new run; None where the process has ended without one, or takes too long."""
    until = time.monotonic() + BEGIN_PATIENCE
    while time.monotonic() < until:
        has_ended = process.poll() is not None
        found = TrainingStore(home.store_file).get(training_id)
        if found is not None and (before is None or found.created != before.created):
            return found
        if has_ended:
            return None
        time.sleep(_LOOK_EVERY)
    process.terminate()
    return None


def _fault(process: subprocess.Popen[bytes], said: str) -> OdahuArgoError:
    told = " ".join(line.strip() for line in said.splitlines() if not line.startswith(("note:", "warning:")))
    message = told.removeprefix("error: ") or "the run did not begin"
    return UserError(message) if process.poll() == UserError.exit_code else ServiceFault(message)


@dataclass(frozen=True, slots=True)
class RemovedItem:
    """A training that is gone from this machine, or a file of one, and how many bytes there were."""

    id: str
    size: int


def select_removable(home: Home, training_id: str | None, older_than: int | None) -> list[LocalTraining]:
    """The trainings to remove: the one of this id or all, last changed more than `older_than` seconds ago, none running.

    Raises:
        UserError: there is no training of this id, or it is running.
    """
    trainings = [get_training(home, training_id)] if training_id else list_trainings(home)
    if training_id and is_locked(home, training_id):
        raise UserError(f"training {training_id!r} is running", hint="stop it first")
    ended = [each for each in trainings if not each.is_live]
    if older_than is None:
        return ended
    limit = datetime.fromisoformat(utc_now()) - timedelta(seconds=older_than)
    return [each for each in ended if datetime.fromisoformat(each.updated) <= limit]


def remove(home: Home, training_id: str) -> RemovedItem:
    """Remove workspace, logs and record. The zip, and MLflow's record of the run, stay.

    Raises:
        UserError: the training is running.
        ServiceFault: a file cannot be removed.
    """
    folder = home.run(training_id).root
    with training_lock(home, training_id):
        clean_up_after_crash(home, training_id)
        size = _size(folder)
        try:
            remove_tree(folder)
        except OSError as error:
            raise ServiceFault(f"{error.filename} cannot be removed: {error.strerror}") from error
        TrainingStore(home.store_file).delete(training_id)
    return RemovedItem(training_id, size)


def local_artifact(artifact_uri: str) -> Path | None:
    """The zip that a training has left on this machine; None where it left none, or it is gone."""
    address = urlsplit(artifact_uri)
    file = Path(unquote(address.path))
    return file if address.scheme == "file" and file.is_file() else None


def remove_artifacts(home: Home, output_dir: Path | None = None) -> list[RemovedItem]:
    """Remove the zips in the home's own folder, and of those in `output_dir` the ones that trainings of this home have left.

    Raises:
        UserError: a training is running.
        ServiceFault: a file cannot be removed.
    """
    trainings = list_trainings(home)
    for training in trainings:
        if training.is_live:
            raise UserError(f"training {training.id!r} is running", hint="stop it first")
    folders = [home.artifacts, *([output_dir.absolute()] if output_dir else ())]
    files = {
        file
        for each in trainings
        if (file := local_artifact(each.artifact_uri)) and any(file.is_relative_to(f) for f in folders)
    }
    files.update(file for file in home.artifacts.rglob("*") if file.is_file())
    removed = []
    try:
        for file in sorted(files):
            removed.append(RemovedItem(file.name, file.lstat().st_size))
            file.unlink()
    except OSError as error:
        raise ServiceFault(f"{error.filename} cannot be removed: {error.strerror}") from error
    return removed


def _size(folder: Path) -> int:
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)
