"""SIGTERM during a step: it exits with code 143 within the grace period, and its child processes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from odahu_argo.contract import CheckoutSpec, StepSpec
from tests.faults.sigterm import stop_downloads
from tests.servers.handlers import serving_by
from tests.servers.mlflow_project import SPEC as TRAIN
from tests.servers.mlflow_project import Tracking, entry_point
from tests.servers.step_runner import StepRunner

COUNT = 16
"""`python -m tests.faults.sigterm --count 500` stops more."""
SHORT_GRACE = """\
import sys
from odahu_argo.steps import runtime
from odahu_argo.steps.__main__ import main
runtime.CHILD_GRACE, runtime.STOP_GRACE = 1, 4
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.timeout(900)
def test_downloads_under_load_exit_with_143(tmp_path: Path) -> None:
    results = stop_downloads(COUNT, tmp_path)
    assert results.exit_codes == {143: COUNT}, results
    assert sum(download.partial_files for download in results.stopped) == 0, results


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when `SilentServer` has received a request."""
    event = threading.Event()
    monkeypatch.setattr(SilentServer, "requested", event, raising=False)
    return event


class SilentServer(BaseHTTPRequestHandler):
    """An HTTP server that accepts requests and never responds."""

    requested: threading.Event

    def do_GET(self) -> None:
        self.requested.set()
        time.sleep(600)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def start_step(
    step: StepRunner, spec: StepSpec, variables: Mapping[str, str], program: str = ""
) -> subprocess.Popen[str]:
    """Start the step as the leader of its own process group, as Argo's executor does."""
    command = [sys.executable, "-c", program, spec.kind] if program else step.command(spec)
    return subprocess.Popen(
        command,
        env={**step.environment(spec), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is running; one that init has not reaped yet is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "process-group"])
def test_checkout_stops_git_that_waits_for_a_server(
    step_runner: StepRunner, requested: threading.Event, send: Callable[[int, int], None]
) -> None:
    spec = CheckoutSpec("code")
    with serving_by(SilentServer) as address:
        step_runner.connect("code", {"uri": f"{address}/repository.git"})
        process = start_step(step_runner, spec, {})
        assert requested.wait(240)
        children = psutil.Process(process.pid).children(recursive=True)
        send(process.pid, signal.SIGTERM)
        log, _ = process.communicate(timeout=120)
    assert process.returncode == 143, log
    assert log.splitlines()[-1] == "checkout: stopped by SIGTERM"
    assert not step_runner.workspace.message.exists()
    assert children and not any(map(is_alive, children))


def test_request_without_response_does_not_delay_the_exit(project: StepRunner, requested: threading.Event) -> None:
    with serving_by(SilentServer) as address:
        process = start_step(project, TRAIN, {"MLFLOW_TRACKING_URI": address}, SHORT_GRACE)
        assert requested.wait(240)
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=120)
    assert process.returncode == 143, log


def test_kills_training_program_that_ignores_sigterm(project: StepRunner, tracking: Tracking, tmp_path: Path) -> None:
    (project.repository / "project/MLproject").write_text(
        "name: x\nentry_points: {stubborn: {command: \"trap '' TERM; echo $$ > {pid}; while true; do sleep 1; done\","
        " parameters: {pid: string}}}\n"
    )
    file = tmp_path / "pid"
    process = start_step(project, entry_point("stubborn", pid=str(file)), {})
    until = time.monotonic() + 240
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    program = psutil.Process(int(file.read_text()))
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=120)
    assert process.returncode == 143, log
    assert not is_alive(program)
    assert tracking.client.get_run(project.workspace.read_result("run-id")).info.status == "KILLED"


@pytest.fixture
def uninstallable(project: StepRunner) -> StepRunner:
    """A prepared launch whose environment is installed from an index that the test serves."""
    (project.repository / "project/MLproject").write_text(
        "python_env: python_env.yaml\nentry_points: {main: {command: 'true'}}\n"
    )
    (project.repository / "project/python_env.yaml").write_text("dependencies: [iniconfig==99]\n")
    return project


def start_launch(step: StepRunner, index: str) -> subprocess.Popen[str]:
    """Prepare the launch and start it, as the containers of a pod do."""
    variables = {"UV_DEFAULT_INDEX": index, "UV_INDEX_URL": index}
    spec = replace(TRAIN, hyper_parameters={}, environment=variables, environment_manager="auto")
    prepare = [*step.command(spec)[:-1], "prepare"]
    subprocess.run(prepare, env=step.environment(spec), check=True)
    python = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.Popen(
        ["/bin/sh", str(step.workspace.root / "launch" / "start.sh")],
        env={**os.environ, "PATH": python},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def test_launcher_stops_installation_of_environment(uninstallable: StepRunner, requested: threading.Event) -> None:
    """One training installs packages, and another one waits for the same environment."""
    with serving_by(SilentServer) as address:
        installing = start_launch(uninstallable, address)
        assert requested.wait(240)
        installers = psutil.Process(installing.pid).children(recursive=True)
        waiting = start_launch(uninstallable, address)
        assert waiting.stdout is not None
        assert any("waiting for another training" in line for line in iter(waiting.stdout.readline, ""))
        for process in (waiting, installing):
            process.send_signal(signal.SIGTERM)
            log, _ = process.communicate(timeout=120)
            assert process.returncode == 143, log
            assert log.splitlines()[-1] == "train: stopped by SIGTERM"
    assert installers and not any(map(is_alive, installers))
