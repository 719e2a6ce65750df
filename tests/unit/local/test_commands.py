"""The commands `odahu-argo local train …` as processes, with fake steps."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tests.local_engine import CONNECTIONS, FAKE_STEPS, LocalEngine, processes_with_argument, wait_for_exit, wait_until


def test_run_prints_plain_lines_and_a_summary(engine: LocalEngine) -> None:
    engine.set_actions(train=["write [red]epoch 1\n"])
    run = engine.command("run", "-f", engine.manifest())
    assert run.code == 0, run.err
    home = engine.home
    assert run.out.splitlines() == [
        "state:        succeeded",
        "runId:        the-run-id",
        "artifactName: the-artifact-name",
        "commitID:     the-commit-id",
        f"artifact:     file://{home.artifacts}/the-artifact-name",
        f"logs:         {home.root}/runs/wine/logs",
        f"MLflow:       mlflow ui --backend-store-uri sqlite:///{home.root}/mlflow.db",
    ]
    lines = run.err.splitlines()
    assert lines[0].startswith("note: image odahu-argo-training:")
    assert {"checkout  running", "train | [red]epoch 1"} <= set(lines)
    assert re.fullmatch(r"package  succeeded  \d+\.\d s", lines[-1])


def test_environment_manager_and_strict_reach_the_step(engine: LocalEngine) -> None:
    run = engine.command("run", "-f", engine.manifest(), "--environment-manager", "uv", "--strict")
    assert run.code == 0, run.err
    workflow = engine.home.run("wine").workflow.read_text()
    assert '"environment_manager":"uv"' in workflow and '"strict_environment":true' in workflow
    unknown = engine.command("run", "-f", engine.manifest(), "--environment-manager", "poetry")
    assert (unknown.code, "virtualenv" in unknown.err) == (2, True)


def test_resumed_run_may_use_another_environment(engine: LocalEngine) -> None:
    engine.set_actions(train=["fail 2 conda.yaml needs conda"])
    assert engine.command("run", "-f", engine.manifest()).code == 4
    engine.set_actions()
    run = engine.command("run", "-f", engine.manifest(), "--resume", "--environment-manager", "local")
    assert run.code == 0, run.err
    assert engine.started_steps()[-2:] == ["train", "package"]


def test_summary_shows_the_tracking_server_of_the_training(engine: LocalEngine) -> None:
    environment = [{"name": "MLFLOW_TRACKING_URI", "value": "http://ada:canary@mlflow.example.org/mlflow"}]
    run = engine.command("run", "-f", engine.manifest(envs=environment))
    assert run.code == 0, run.err
    assert run.out.splitlines()[-1] == "MLflow:       http://***@mlflow.example.org/mlflow"


def test_failed_training_exits_4_with_reason_and_log_path(engine: LocalEngine) -> None:
    engine.set_actions(train=["fail 2 no entry point 'nope'\n  hint: use main or test"])
    run = engine.command("run", "--id", "wine", "-f", engine.manifest(), "-o", "json")
    assert run.code == 4
    status = json.loads(run.out)["status"]
    assert status["state"] == "failed"
    assert status["artifacts"] == [{"runId": "", "artifactName": "", "commitID": "the-commit-id"}]
    lines, _, report = run.err.partition("{\n")
    [problem] = json.loads("{" + report)["problems"]
    assert lines.splitlines()[-1].startswith("train  failed")
    assert problem["message"].startswith("training 'wine' failed in train: no entry point 'nope'\n")
    assert f"see {engine.home.root}/runs/wine/logs/train.log" in problem["hint"]


def test_invalid_manifest_exits_2_before_any_step_starts(engine: LocalEngine) -> None:
    run = engine.command("run", "--id", "other", "-f", engine.manifest())
    assert (run.code, engine.started_steps()) == (2, [])
    assert "ModelTraining 'other'" in run.err
    assert not engine.home.store_file.exists()


def test_training_continues_after_stderr_is_closed(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["sleep 1"], train=["write x\n"] * 50)
    with engine.start("run", "-f", engine.manifest()) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("note: ")
        process.stderr.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_terminates_all_processes_and_records_failure(engine: LocalEngine, number: signal.Signals) -> None:
    argument = f"grandchild-{engine.folder}"
    engine.set_actions(train=[f"grandchild {argument}", "sleep 60"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: processes_with_argument(argument))
    process.send_signal(number)
    run = wait_for_exit(process)
    assert run.code == 130
    assert "interrupted; training 'wine' is recorded as failed" in run.err
    assert processes_with_argument(argument) == []
    assert list((engine.folder / "tmp").iterdir()) == []
    status = json.loads(engine.command("get", "--id", "wine", "-o", "json").out)["status"]
    assert (status["state"], status["reason"], status["exitCode"]) == ("failed", "interrupted by the user", 130)
    assert [step["state"] for step in status["local"]["steps"]][-2:] == ["stopped", "skipped"]


def test_second_signal_kills_without_grace_period(engine: LocalEngine) -> None:
    argument = f"grandchild-{engine.folder}"
    engine.monkeypatch.setenv("FAKE_GRACE_PERIOD", "600")
    engine.set_actions(train=[f"grandchild {argument}", "sleep 60"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: processes_with_argument(argument))
    [step] = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: step.status() == psutil.STATUS_ZOMBIE)
    assert processes_with_argument(argument) != []
    process.send_signal(signal.SIGINT)
    assert wait_for_exit(process).code == 130
    assert processes_with_argument(argument) == []
    assert '"state": "failed"' in engine.command("get", "--id", "wine", "-o", "json").out


def test_ignored_signals_stay_ignored(engine: LocalEngine) -> None:
    engine.set_actions(train=["sleep 2"])
    engine.monkeypatch.setenv("FAKE_NOHUP", "1")
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: "train" in engine.started_steps())
    process.send_signal(signal.SIGHUP)
    run = wait_for_exit(process)
    assert run.code == 0, run.err


def test_killed_engine_leaves_state_unknown_and_is_resumable(engine: LocalEngine) -> None:
    argument = f"grandchild-{engine.folder}"
    engine.set_actions(train=["show-connections", f"grandchild {argument}", "sleep 60"])
    manifest = engine.manifest()
    process = engine.start("run", "-f", manifest)
    wait_until(lambda: processes_with_argument(argument))
    process.kill()
    wait_for_exit(process)
    listed = engine.command("list").out
    assert re.search(r"^wine +wine +1.0 +unknown .*exited without recording a result; .*--resume", listed, re.M)
    assert processes_with_argument(argument) != []

    engine.set_actions()
    before = len(engine.started_steps())
    resumed = engine.command("run", "-f", manifest, "--resume")
    assert resumed.code == 0, resumed.err
    assert "download-a  succeeded in the earlier run" in resumed.err
    assert engine.started_steps()[before:] == ["train", "package"]
    assert processes_with_argument(argument) == []
    assert list((engine.folder / "tmp").iterdir()) == []


def test_rejects_one_of_two_concurrent_runs_of_a_training(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["sleep 4"])
    manifest = engine.manifest()
    processes = [engine.start("run", "-f", manifest) for _ in range(2)]
    runs = sorted((wait_for_exit(process) for process in processes), key=lambda run: run.code)
    assert [run.code for run in runs] == [0, 2]
    assert re.search(r"training 'wine' is already running in process \d+\n  hint: wait until it ends", runs[1].err)
    assert sorted(engine.started_steps()) == ["checkout", "download-a", "download-b", "package", "train"]


def test_logs_of_all_steps_of_one_step_and_followed(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["write cloned\n"], train=["write epoch 1\n", "sleep 2", "write epoch 2\n"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: "train" in engine.started_steps())
    followed = engine.command("logs", "--id", "wine", "--step", "train", "--follow")
    assert followed.out == "epoch 1\nepoch 2\n"
    wait_for_exit(process)
    assert engine.command("logs", "--id", "wine").out.splitlines() == [
        "checkout | cloned",
        "download-b | connection b: decoded from base64: keySecret",
        "train | epoch 1",
        "train | epoch 2",
    ]
    mistyped = engine.command("logs", "--id", "wine", "--step", "trian")
    assert (mistyped.code, "did you mean train?" in mistyped.err) == (2, True)


def test_get_and_list_print_odahu_json(engine: LocalEngine) -> None:
    engine.run()
    training = json.loads(engine.command("get", "--id", "wine", "-o", "json").out)
    assert training["spec"]["model"]["name"] == "wine"
    assert training["spec"]["data"] == [{"connName": name, "localPath": "data/"} for name in ("a", "b")]
    assert training["status"]["artifacts"] == [
        {"runId": "the-run-id", "artifactName": "the-artifact-name", "commitID": "the-commit-id"}
    ]
    assert json.loads(engine.command("list", "-o", "json").out) == [training]
    missing = engine.command("get", "--id", "beer")
    assert (missing.code, "training 'beer' does not exist on this machine" in missing.err) == (2, True)


def test_cleanup_removes_old_trainings_but_not_running_ones(engine: LocalEngine) -> None:
    engine.run()
    (engine.home.run("wine").workspace / "data").write_bytes(b"x" * 5000)
    assert engine.command("cleanup", "--older-than", "1h").out == "0 removed, 0 bytes freed\n"
    unselective = engine.command("cleanup")
    assert (unselective.code, unselective.out) == (2, "")
    assert "--older-than" in unselective.err and "--all" in unselective.err
    cleanup = engine.command("cleanup", "--all")
    assert re.fullmatch(r"removed wine: 1\d{4} bytes\n1 removed, 1\d{4} bytes freed\n", cleanup.out)
    assert not engine.home.run("wine").root.exists()
    assert engine.command("list", "-o", "json").out == "[]\n"

    engine.set_actions(checkout=["sleep 60"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: len(engine.started_steps()) > 5)
    cleanup = engine.command("cleanup", "--id", "wine")
    assert (cleanup.code, "training 'wine' is running" in cleanup.err) == (2, True)
    assert engine.command("cleanup", "--all").out == "0 removed, 0 bytes freed\n"
    process.send_signal(signal.SIGINT)
    wait_for_exit(process)


def test_live_step_table_on_a_terminal(engine: LocalEngine) -> None:
    engine.set_actions(train=["write [red]epoch 1\n", "progress 40/100", "sleep 1"])
    terminal, stderr = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, FAKE_STEPS / "command_line.py", "local", "train", "run", "-f", engine.manifest()]
    process = subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL, env=environment)
    os.close(stderr)
    output = b""
    while process.poll() is None or select.select([terminal], [], [], 0)[0]:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                output += os.read(terminal, 65536)
            except OSError:
                break
    process.wait()
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())
    assert "| [red]epoch 1" in text
    assert re.search(r"▸ train +running +40 %", text)
    assert re.search(r"✔ package +succeeded", text)


def test_lists_and_removes_artifacts_like_odahuflowctl(engine: LocalEngine) -> None:
    models = engine.folder / "models"
    engine.monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(engine.folder / "config"))
    (engine.folder / "config").write_text(f"[general]\nlocal_model_output_dir = {models}\n", encoding="utf-8")
    assert engine.command("list", "-o", "text").out == "Artifacts not found\n"
    run = engine.command("run", "-f", engine.manifest())
    assert run.code == 0, run.err
    assert f"artifact:     file://{models}/the-artifact-name" in run.out
    for name in ("wine-1.0-b", "wine-1.0-a", "unrelated"):
        (models / name).mkdir(parents=True)
    for name in ("wine-1.0-b", "wine-1.0-a"):
        (models / name / "odahuflow.project.yaml").write_text("{}\n", encoding="utf-8")
    (models / "file").write_text("", encoding="utf-8")
    assert engine.command("list", "-o", "text").out == "Training artifacts:\n* wine-1.0-a\n* wine-1.0-b\n"
    engine.monkeypatch.setenv("LOCAL_MODEL_OUTPUT_DIR", str(engine.folder / "elsewhere"))
    assert engine.command("list", "-o", "text").out == "Artifacts not found\n"
    engine.monkeypatch.delenv("LOCAL_MODEL_OUTPUT_DIR")
    cleanup = engine.command("cleanup-artifacts")
    assert cleanup.code == 0, cleanup.err
    assert cleanup.out == "removed wine-1.0-a: 3 bytes\nremoved wine-1.0-b: 3 bytes\n2 removed, 6 bytes freed\n"
    assert sorted(file.name for file in models.iterdir()) == ["file", "unrelated"]
    assert engine.command("list", "-o", "text").out == "Artifacts not found\n"


def test_trains_the_working_copy_in_place(engine: LocalEngine) -> None:
    """Connections are not needed: their manifests still have the placeholders of ODAHU's examples."""
    project = engine.folder / "project"
    (project / "code").mkdir(parents=True)
    (project / "data").mkdir()
    (project / "data" / "wine.csv").write_text("1")
    connections = CONNECTIONS.replace("s3://a/data/", "s3://<your bucket>/data/")
    manifest = engine.manifest(connections, workDir="code")
    engine.monkeypatch.chdir(project)
    run = engine.command("run", "-f", manifest, "--here")
    assert run.code == 0, run.err
    assert engine.started_steps() == ["train", "package"]
    assert f"note: training wine in place, in {project}\n" in run.err
    assert "warning: " in run.err and "ignored, because no selected training uses it" in run.err
    assert "commitID" not in run.out
    assert engine.home.run("wine").repository.resolve() == project

    engine.set_actions(train=["fail 2 no"])
    failed = engine.command("run", "-f", manifest, "--here")
    assert (failed.code, "with the working copy as it then is" in failed.err) == (4, True)
    copy = engine.folder / "copy"
    shutil.copytree(project, copy)
    engine.monkeypatch.chdir(copy)
    elsewhere = engine.command("run", "-f", manifest, "--here", "--resume")
    assert (elsewhere.code, f"the earlier run was in {project}" in elsewhere.err) == (2, True)
    engine.monkeypatch.chdir(project)
    engine.set_actions()
    assert engine.command("run", "-f", manifest, "--here", "--resume").code == 0
    assert (project / "data" / "wine.csv").read_text() == "1"
    assert engine.command("cleanup", "--all").code == 0
    assert (project / "data" / "wine.csv").exists()


def test_trains_any_id_without_a_source(engine: LocalEngine) -> None:
    """The id of a manifest of ODAHU's own local tests."""
    manifest = engine.manifest(vcsName=None, data=None)
    manifest.write_text(manifest.read_text().replace("id: wine", "id: local id file with spaces"))
    engine.monkeypatch.chdir(engine.folder)
    run = engine.command("run", "-f", manifest, "--id", "local id file with spaces")
    assert run.code == 0, run.err
    assert "is not a valid id; the training runs as local-id-file-with-spaces" in run.err
    assert engine.command("get", "--id", "local-id-file-with-spaces").code == 0


def test_cleanup_artifacts_is_rejected_while_a_training_runs(engine: LocalEngine) -> None:
    engine.set_actions(train=["sleep 30"])
    process = engine.start("run", "-f", engine.manifest())
    wait_until(lambda: engine.started_steps()[-1:] == ["train"])
    engine.home.artifacts.mkdir(exist_ok=True)
    (engine.home.artifacts / "incomplete").write_text("", encoding="utf-8")
    rejected = engine.command("cleanup-artifacts")
    assert (rejected.code, "training 'wine' is running" in rejected.err) == (2, True)
    assert (engine.home.artifacts / "incomplete").exists()
    process.send_signal(signal.SIGINT)
    wait_for_exit(process)
    assert engine.command("cleanup-artifacts").code == 0
    assert not (engine.home.artifacts / "incomplete").exists()


@pytest.mark.parametrize("command", ["run", "list", "get", "logs", "cleanup"])
def test_help_contains_an_example(engine: LocalEngine, command: str) -> None:
    help_page = engine.command(command, "--help")
    assert help_page.code == 0
    assert "Example: odahu-argo local train " in help_page.out
