"""Retries after faults and after interruptions have separate limits, which the step itself enforces in a pod."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec, DownloadSpec, TrainSpec
from tests.servers.git import Origin
from tests.servers.handlers import serving_by
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner
from tests.unit.steps.test_main import SlowS3

RUN = {"ODAHU_ARGO_RUN": "wine-1"}
PROGRAM = """\
#!/bin/sh
echo started >> "{calls}"
trap 'exit 0' TERM
sleep 60 & wait $!
"""


@pytest.fixture
def unreachable(step_runner: StepRunner) -> CheckoutSpec:
    """Checkout from a server that does not answer."""
    step_runner.connect("code", {"uri": f"http://127.0.0.1:{free_port()}/x"})
    return CheckoutSpec("code")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def program(step_runner: StepRunner, tmp_path: Path, calls: Path) -> TrainSpec:
    """Training with a program that waits for SIGTERM."""
    step_runner.repository.mkdir()
    file = tmp_path / "program"
    file.write_text(PROGRAM.format(calls=calls))
    file.chmod(0o755)
    return TrainSpec("wine", "wine", "1.0", "./", "main", trainer=str(file))


def interrupt_training(step_runner: StepRunner, calls: Path, number: int, with_signal: int) -> int:
    """Start the launch, and send a signal to it once its program runs. Return the exit code."""
    start = ["/bin/sh", str(step_runner.workspace.root / "launch" / "start.sh")]
    process = subprocess.Popen(start, env={"PATH": "/usr/bin:/bin"}, start_new_session=True)
    until = time.monotonic() + 60
    while not calls.is_file() or calls.read_text().count("started") < number:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(with_signal)
    return process.wait(timeout=30)


def test_last_fault_is_final(step_runner: StepRunner, unreachable: CheckoutSpec) -> None:
    codes = [step_runner.run_process(unreachable, **RUN, ODAHU_ARGO_RETRIES="2,5").code for _ in range(3)]
    assert codes == [3, 3, 4]


def test_another_run_counts_anew(step_runner: StepRunner, unreachable: CheckoutSpec) -> None:
    limits = {"ODAHU_ARGO_RETRIES": "1,5"}
    assert [step_runner.run_process(unreachable, **RUN, **limits).code for _ in range(2)] == [3, 4]
    assert step_runner.run_process(unreachable, ODAHU_ARGO_RUN="wine-2", **limits).code == 3


def test_faults_are_not_counted_outside_argo(step_runner: StepRunner, unreachable: CheckoutSpec) -> None:
    codes = [step_runner.run_process(unreachable, ODAHU_ARGO_RETRIES="0,0").code for _ in range(2)]
    assert codes == [3, 3]
    assert not (step_runner.workspace.root / "attempts").exists()


def test_interruptions_have_their_own_limit(step_runner: StepRunner, program: TrainSpec, calls: Path) -> None:
    """SIGTERM leads to exit code 143, SIGKILL leaves no trace. Both count, and no retry after a fault is used up."""
    signals = [signal.SIGTERM, signal.SIGKILL, signal.SIGTERM]
    limits = {"ODAHU_ARGO_RETRIES": "0,2"}
    codes = []
    for number, with_signal in enumerate(signals, start=1):
        assert step_runner.prepare(program, **RUN, **limits).code == 0
        codes.append(interrupt_training(step_runner, calls, number, with_signal))
    assert codes == [143, -signal.SIGKILL, 143]
    ended = step_runner.prepare(program, **RUN, **limits)
    assert ended.code == 4
    assert ended.message.startswith(
        "step train was interrupted 3 times\n  hint: the profile's limit is retries.interrupted: 2"
    )
    assert calls.read_text().count("started") == 3


def test_interruption_does_not_use_up_retries_after_faults(step_runner: StepRunner) -> None:
    step_runner.connect("data", {"type": "s3", "uri": "s3://bucket/large.bin", "keyID": "k", "keySecret": "s"})
    endpoint_file = step_runner.workspace.connections / "data" / "endpoint"
    step_runner.repository.mkdir()
    spec = DownloadSpec("data", "in/")
    with serving_by(SlowS3) as endpoint:
        endpoint_file.write_text(endpoint)
        process = subprocess.Popen(step_runner.command(spec), env=step_runner.environment(spec) | RUN)
        until = time.monotonic() + 60
        while not list(step_runner.repository.glob("in/.*.partial")):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=30) == 143
    endpoint_file.write_text(f"http://127.0.0.1:{free_port()}")
    assert step_runner.run_process(spec, **RUN, ODAHU_ARGO_RETRIES="1,5").code == 3


def test_last_fault_of_training_in_pod_is_final(step_runner: StepRunner, program: TrainSpec) -> None:
    """The repository disappears after the preparation, which is a fault of the disk."""
    codes = []
    for _ in range(2):
        step_runner.repository.mkdir(exist_ok=True)
        assert step_runner.prepare(program, **RUN).code == 0
        step_runner.repository.rmdir()
        codes.append(step_runner.start().code)
    assert codes == [3, 4]


def test_finished_step_that_argo_starts_again_and_again_fails(step_runner: StepRunner, origin: Origin) -> None:
    """The log archive is down: Argo's wait container fails after each attempt."""
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    limits = {"ODAHU_ARGO_RETRIES": "1,10"}
    ended = [step_runner.run_process(CheckoutSpec("code"), **RUN, **limits) for _ in range(4)]
    assert [each.code for each in ended] == [0, 0, 0, 4]
    assert "step checkout finished at 20" in ended[-1].message and "Argo could not record its end" in ended[-1].message
    assert step_runner.run_process(CheckoutSpec("code"), ODAHU_ARGO_RUN="wine-2", **limits).code == 0


def test_failed_download_cancels_the_others(step_runner: StepRunner, bucket: Bucket) -> None:
    step_runner.repository.mkdir()
    step_runner.connect("missing", bucket.fields("nothing-here"))
    slow, failing = DownloadSpec("slow", "in/"), DownloadSpec("missing", "other/")
    with serving_by(SlowS3) as endpoint:
        keys = {"keyID": "k", "keySecret": "s", "endpoint": endpoint}
        step_runner.connect("slow", {"type": "s3", "uri": "s3://bucket/large.bin", **keys})
        message = step_runner.workspace.root / "message-of-slow"
        environment = step_runner.environment(slow) | RUN | {"ODAHU_ARGO_MESSAGE": str(message)}
        process = subprocess.Popen(step_runner.command(slow), env=environment)
        assert step_runner.run_process(failing, **RUN).code == 2
        assert process.wait(timeout=60) == 2
        assert message.read_text() == "cancelled because step download-missing failed"
        late = step_runner.run_process(DownloadSpec("slow", "late/"), **RUN)
        assert (late.code, late.message) == (2, "cancelled because step download-missing failed")


def test_argo_retry_starts_failed_and_cancelled_downloads_again(step_runner: StepRunner, bucket: Bucket) -> None:
    """`argo retry` keeps the name of the workflow, so the downloads belong to the same run."""
    bucket.put(wine=b"red")
    step_runner.repository.mkdir()
    step_runner.connect("missing", bucket.fields("beer"))
    step_runner.connect("unreachable", {**bucket.fields("wine"), "endpoint": f"http://127.0.0.1:{free_port()}"})
    failing, cancelled = DownloadSpec("missing", "other/"), DownloadSpec("unreachable", "in/")
    assert step_runner.run_process(failing, **RUN).code == 2
    assert step_runner.run_process(cancelled, **RUN).code == 2
    bucket.put(beer=b"ale")
    (step_runner.workspace.connections / "unreachable" / "endpoint").write_text(bucket.endpoint)
    assert step_runner.run_process(cancelled, **RUN).code == 0
    assert step_runner.run_process(failing, **RUN).code == 0


def test_argo_retry_starts_a_new_count(step_runner: StepRunner, unreachable: CheckoutSpec) -> None:
    limits = {"ODAHU_ARGO_RETRIES": "1,5"}
    assert [step_runner.run_process(unreachable, **RUN, **limits).code for _ in range(4)] == [3, 4, 3, 4]


def test_failed_download_lets_others_continue_without_fail_fast(step_runner: StepRunner, bucket: Bucket) -> None:
    bucket.put(wine=b"red")
    step_runner.repository.mkdir()
    step_runner.connect("missing", bucket.fields("nothing-here"))
    step_runner.connect("data", bucket.fields("wine"))
    assert step_runner.run_process(DownloadSpec("missing", "other/"), **RUN, ODAHU_ARGO_FAIL_FAST="false").code == 2
    assert step_runner.run_process(DownloadSpec("data", "in/"), **RUN, ODAHU_ARGO_FAIL_FAST="false").code == 0


def test_failure_of_an_earlier_run_cancels_nothing(step_runner: StepRunner, bucket: Bucket) -> None:
    bucket.put(wine=b"red")
    step_runner.repository.mkdir()
    step_runner.connect("missing", bucket.fields("nothing-here"))
    step_runner.connect("data", bucket.fields("wine"))
    assert step_runner.run_process(DownloadSpec("missing", "other/"), **RUN).code == 2
    assert step_runner.run_process(DownloadSpec("data", "in/"), ODAHU_ARGO_RUN="wine-2").code == 0
