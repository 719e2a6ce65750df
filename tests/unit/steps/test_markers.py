"""A finished step leaves a marker in the workspace, and later attempts of it do nothing."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo.contract import CheckoutSpec, DownloadSpec, TrainSpec
from tests.servers.git import Origin
from tests.servers.mlflow_project import PACKAGE, SPEC, Tracking, entry_point
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import StepRunner

COMPLETED = r"{}: already completed at \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ; nothing to do\n"

COUNTING = """\
#!/bin/sh
echo started >> "{calls}"
echo "output: {{run_id: run-7}}" > "$5/odahuflow.project.yaml"
exit $STATUS
"""


def assert_skipped(log: str, step: str) -> None:
    assert re.fullmatch(COMPLETED.format(step), log), log


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """File to which the program of `program` adds a line at each start."""
    return tmp_path / "calls"


@pytest.fixture
def program(step_runner: StepRunner, tmp_path: Path, calls: Path) -> TrainSpec:
    """Training with a program of ODAHU's protocol, in a workspace with an empty checkout."""
    step_runner.repository.mkdir()
    file = tmp_path / "program"
    file.write_text(COUNTING.format(calls=calls))
    file.chmod(0o755)
    manifest = {"modelTraining": {"id": "wine", "spec": {"resources": {"limits": {"memory": "1Gi"}}}}}
    environment = {"STATUS": "0"}
    return TrainSpec("wine", "wine", "1.0", "./", "main", {}, environment, trainer=str(file), manifest=manifest)


def test_finished_checkout_is_not_repeated(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    assert step_runner.run_process(CheckoutSpec("code", "main")).code == 0
    (step_runner.workspace.connections / "code" / "uri").write_text("file:///nowhere")
    step_runner.workspace.result_file("commit-id").unlink()
    again = step_runner.run_process(CheckoutSpec("code", "main"))
    assert again.code == 0
    assert_skipped(again.log, "checkout")
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_finished_step_exits_before_heavy_imports(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    step_runner.run_process(CheckoutSpec("code"))
    ended = step_runner.run_process(CheckoutSpec("code"), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in ended.log.splitlines() if line.startswith("import time:")}
    assert not {"odahu_argo.steps.checkout", "psutil", "obstore", "yaml", "subprocess", "mlflow"} & imported


def test_step_in_pod_writes_its_files_to_disk_first(
    step_runner: StepRunner, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = tmp_path / "bin" / "sync"
    sync.parent.mkdir()
    sync.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nls {step_runner.workspace.completed} >> {tmp_path}/calls\n'
    )
    sync.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sync.parent}:{os.environ['PATH']}")
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    assert step_runner.run_process(CheckoutSpec("code"), KUBERNETES_SERVICE_HOST="10.0.0.1").code == 0
    assert (tmp_path / "calls").read_text() == f"-f {step_runner.workspace.root}\n"
    assert list(step_runner.workspace.completed.iterdir())


def test_failed_step_runs_again(step_runner: StepRunner, origin: Origin) -> None:
    step_runner.connect("code", {"uri": f"http://127.0.0.1:{free_port()}/x"})
    assert step_runner.run_process(CheckoutSpec("code")).code == 3
    (step_runner.workspace.connections / "code" / "uri").write_text(origin.folder.as_uri())
    assert step_runner.run_process(CheckoutSpec("code")).code == 0
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_finished_download_is_not_repeated(step_runner: StepRunner, bucket: Bucket) -> None:
    bucket.put(wine=b"red", beer=b"ale")
    step_runner.repository.mkdir()
    step_runner.connect("data", bucket.fields())
    assert step_runner.run_process(DownloadSpec("data", "in/", "wine")).code == 0
    bucket.client.delete_object(Bucket=bucket.name, Key="wine")
    assert_skipped(step_runner.run_process(DownloadSpec("data", "in/", "wine")).log, "download")
    assert step_runner.run_process(DownloadSpec("data", "in/", "beer")).code == 0
    assert_skipped(step_runner.run_process(DownloadSpec("data", "in/", "wine")).log, "download")


def test_another_reference_invalidates_later_steps(step_runner: StepRunner, origin: Origin, bucket: Bucket) -> None:
    bucket.put(wine=b"red")
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    step_runner.connect("data", bucket.fields())
    download = DownloadSpec("data", "in/", "wine")
    assert step_runner.run_process(CheckoutSpec("code", "main")).code == 0
    assert step_runner.run_process(download).code == 0
    assert step_runner.run_process(CheckoutSpec("code", "develop")).code == 0
    assert "1 file" in step_runner.run_process(download).log
    assert (step_runner.repository / "in" / "wine").read_bytes() == b"red"
    assert step_runner.run_process(CheckoutSpec("code", "main")).code == 0
    assert step_runner.workspace.read_result("commit-id") == origin.main


@pytest.mark.parametrize("content", ["", "{", "[]", '{"completed": "x", "results": [1]}', "\udcff"])
def test_damaged_marker_counts_as_missing(step_runner: StepRunner, origin: Origin, content: str) -> None:
    step_runner.connect("code", {"uri": origin.folder.as_uri()})
    assert step_runner.run_process(CheckoutSpec("code")).code == 0
    (marker,) = step_runner.workspace.completed.iterdir()
    marker.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "looking up" in step_runner.run_process(CheckoutSpec("code")).log


def test_finished_training_is_not_repeated_in_pod(project: StepRunner, tracking: Tracking) -> None:
    """An attempt consists of the init container in the runner image and the launch in the training's image."""
    spec = replace(SPEC, environment=dict(tracking.variables))
    assert project.prepare(spec).code == 0
    started = project.start(**tracking.variables)
    assert started.code == 0, started.log
    run_id = project.workspace.read_result("run-id")
    assert run_id and f"started run {run_id}" in started.log
    project.workspace.result_file("run-id").unlink()

    assert_skipped(project.prepare(spec).log, "prepare")
    assert_skipped(project.start(**tracking.variables).log, "train")
    assert project.workspace.read_result("run-id") == run_id


def test_failed_training_runs_again_in_pod(project: StepRunner, tracking: Tracking) -> None:
    spec = replace(entry_point("fail"), environment=dict(tracking.variables))
    for _ in range(2):
        assert project.prepare(spec).code == 0
        ended = project.start(**tracking.variables)
        assert ended.code == 2
        assert "started run" in ended.log


def test_finished_program_is_not_repeated_in_pod(step_runner: StepRunner, program: TrainSpec, calls: Path) -> None:
    for _ in range(3):
        assert step_runner.prepare(program).code == 0
        ended = step_runner.start()
        assert ended.code == 0, ended.log
    assert_skipped(ended.log, "train")
    assert calls.read_text() == "started\n"


def test_failed_program_runs_again_in_pod(step_runner: StepRunner, program: TrainSpec, calls: Path) -> None:
    spec = replace(program, environment={"STATUS": "3"})
    for _ in range(2):
        assert step_runner.prepare(spec).code == 0
        assert step_runner.start().code == 2
    assert calls.read_text() == "started\n" * 2


def test_changed_memory_does_not_repeat_training(step_runner: StepRunner, program: TrainSpec, calls: Path) -> None:
    assert step_runner.run_process(program).code == 0
    larger = {"modelTraining": {"id": "wine", "spec": {"resources": {"limits": {"memory": "8Gi"}}}}}
    assert_skipped(step_runner.run_process(replace(program, manifest=larger)).log, "train")
    other = {"modelTraining": {"id": "wine", "spec": {"hyperParameters": {"x": "1"}}}}
    assert step_runner.run_process(replace(program, manifest=other)).code == 0
    assert step_runner.run_process(program).code == 0
    assert calls.read_text() == "started\n" * 3


def test_killed_training_leaves_no_marker(step_runner: StepRunner, program: TrainSpec, calls: Path) -> None:
    Path(program.trainer).write_text(f'#!/bin/sh\necho started >> "{calls}"\nsleep 60\n')
    assert step_runner.prepare(program).code == 0
    start = ["/bin/sh", str(step_runner.workspace.root / "launch" / "start.sh")]
    process = subprocess.Popen(start, env={"PATH": "/usr/bin:/bin"}, start_new_session=True)
    while not calls.is_file():
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 143
    assert not list(step_runner.workspace.completed.iterdir())


def test_finished_upload_is_not_repeated(step_runner: StepRunner, bucket: Bucket) -> None:
    step_runner.workspace.write_result("run-id", "1" * 32)
    step_runner.workspace.output.mkdir()
    (step_runner.workspace.output / "weights").write_bytes(b"weights")
    step_runner.connect("out", bucket.fields())
    spec = replace(PACKAGE, trainer="mlflow-project")
    assert step_runner.run_process(spec).code == 0
    (name,) = bucket.keys()
    bucket.client.delete_object(Bucket=bucket.name, Key=name)
    assert_skipped(step_runner.run_process(spec).log, "package")
    assert step_runner.workspace.read_result("artifact-name") == name
    assert bucket.keys() == []


def test_artifact_name_is_no_result_before_the_upload(step_runner: StepRunner, bucket: Bucket) -> None:
    step_runner.workspace.write_result("run-id", "1" * 32)
    step_runner.workspace.output.mkdir()
    step_runner.connect("out", {**bucket.fields(), "endpoint": f"http://127.0.0.1:{free_port()}"})
    spec = replace(PACKAGE, trainer="mlflow-project")
    assert step_runner.run_process(spec).code == 3
    assert step_runner.workspace.read_result("artifact-name") is None
    (step_runner.workspace.connections / "out" / "endpoint").write_text(bucket.endpoint)
    assert step_runner.run_process(spec).code == 0
    assert bucket.keys() == [step_runner.workspace.read_result("artifact-name")]
