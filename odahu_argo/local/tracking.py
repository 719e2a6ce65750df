"""MLflow's tracking store of this machine.

MLflow creates missing tables on first use and fails if two processes do so at once. The engine therefore creates the store
before the first step starts, in a temporary file, and upgrades it after an upgrade of MLflow.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.launcher.database import database_error_hint, database_error_reason
from odahu_argo.local.home import Home
from odahu_argo.local.signals import Interrupted, TerminationSignals

_CREATE_TABLES = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"
_POLL_INTERVAL = 0.2
"""Seconds between checks for termination signals."""


def prepare_tracking(home: Home, signals: TerminationSignals | None = None) -> None:
    """Create the tracking store, or upgrade it to the installed MLflow. Takes seconds the first time.

    Raises:
        UserError: MLflow is not installed.
        ServiceFault: the store cannot be created or upgraded.
        Interrupted: a termination signal was received.
    """
    signals = signals or TerminationSignals()
    installed = _installed_version()
    try:
        home.mlflow_artifacts.mkdir(exist_ok=True)
        with _tracking_lock(home, signals):
            if _prepared_version(home) != installed:
                _create_or_upgrade(home, signals)
                home.tracking_version_file.write_text(installed, encoding="utf-8")
    except OSError as error:
        raise ServiceFault(f"cannot write {error.filename or home.root}: {error.strerror}") from error


@contextmanager
def _tracking_lock(home: Home, signals: TerminationSignals) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(home.locks / "mlflow")
    while not lock.is_locked:
        signals.check()
        with suppress(Timeout):
            lock.acquire(timeout=_POLL_INTERVAL)
    try:
        yield
    finally:
        lock.release()


def _create_or_upgrade(home: Home, signals: TerminationSignals) -> None:
    if home.tracking_file.exists():
        # Not interruptible: an incomplete upgrade would damage the store.
        _run_python(home, ("-m", "mlflow", "db", "upgrade", home.tracking_uri), TerminationSignals())
        _enable_wal(home.tracking_file)
        return
    partial = home.tracking_file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _run_python(home, ("-c", _CREATE_TABLES, f"sqlite:///{partial}"), signals)
    _enable_wal(partial)
    partial.replace(home.tracking_file)


def _enable_wal(file: Path) -> None:
    """Set the mode of the file in which pages that read a run do not block the training that logs it."""
    try:
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        hint = database_error_hint(str(error))
        raise ServiceFault(f"cannot prepare MLflow's tracking store {file}: {error}", hint) from error


def _installed_version() -> str:
    try:
        return version("mlflow")
    except PackageNotFoundError:
        raise UserError("MLflow is not installed", hint="pip install 'odahu-argo[training]'") from None


def _prepared_version(home: Home) -> str | None:
    try:
        return home.tracking_version_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _run_python(home: Home, arguments: Sequence[str], signals: TerminationSignals) -> None:
    with subprocess.Popen(
        (sys.executable, "-P", *arguments),
        cwd=home.mlflow_artifacts,
        env=os.environ | {TRACKING_VARIABLE: home.tracking_uri},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        error_output = _wait(process, signals)
    if process.returncode != 0:
        reason = database_error_reason(error_output) or f"exit code {process.returncode}"
        raise ServiceFault(
            f"MLflow cannot prepare its tracking store {home.tracking_file}: {reason}",
            hint=database_error_hint(reason)
            or "check the disk; if the file is damaged, move it away and run again to create a new one",
        )


def _wait(process: subprocess.Popen[str], signals: TerminationSignals) -> str:
    while True:
        try:
            return process.communicate(timeout=_POLL_INTERVAL)[1]
        except subprocess.TimeoutExpired:
            try:
                signals.check()
            except Interrupted:
                process.terminate()
                raise
