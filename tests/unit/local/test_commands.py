from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.local.conftest import Bench
from tests.unit.local.test_run import processes_named


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail("waited in vain")
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_run_tells_what_happens_in_plain_lines_and_ends_with_a_summary(bench: Bench) -> None:
    bench.steps_do(train=["write [red]epoch 1\n"])
    code, out, err = ended(bench.command("run", "-f", bench.manifest()))
    assert code == 0, err
    home = bench.home
    assert out.splitlines() == [
        "state:        succeeded",
        "runId:        the-run-id",
        "artifactName: the-artifact-name",
        "commitID:     the-commit-id",
        f"artifact:     file://{home.artifacts}/the-artifact-name",
        f"logs:         {home.root}/runs/wine/logs",
        f"MLflow:       mlflow ui --backend-store-uri sqlite:///{home.root}/mlflow.db",
    ]
    lines = err.splitlines()
    assert lines[0].startswith("note: image odahu-argo-training:")
    assert {"checkout  running", "train | [red]epoch 1"} <= set(lines)
    assert re.fullmatch(r"package  succeeded  \d+\.\d s", lines[-1])


def test_the_summary_names_the_tracking_server_that_has_the_records(bench: Bench) -> None:
    named = [{"name": "MLFLOW_TRACKING_URI", "value": "http://ada:canary@mlflow.example.org/mlflow"}]
    code, out, err = ended(bench.command("run", "-f", bench.manifest(envs=named)))
    assert code == 0, err
    assert out.splitlines()[-1] == "MLflow:       http://***@mlflow.example.org/mlflow"


def test_a_failed_training_ends_with_4_its_reason_and_the_way_to_its_log(bench: Bench) -> None:
    bench.steps_do(train=["fail 2 there is no entry point 'nope'\n  hint: there are main, test"])
    code, out, err = ended(bench.command("run", "--id", "wine", "-f", bench.manifest(), "-o", "json"))
    assert code == 4
    status = json.loads(out)["status"]
    assert status["state"] == "failed"
    assert status["artifacts"] == [{"runId": "", "artifactName": "", "commitID": "the-commit-id"}]
    lines, _, told = err.partition("{\n")
    [problem] = json.loads("{" + told)["problems"]
    assert lines.splitlines()[-1].startswith("train  failed")
    assert problem["message"].startswith("training 'wine' failed in train: there is no entry point 'nope'\n")
    assert f"see {bench.home.root}/runs/wine/logs/train.log" in problem["hint"]


def test_an_unusable_manifest_ends_with_2_before_anything_is_run(bench: Bench) -> None:
    code, _, err = ended(bench.command("run", "--id", "other", "-f", bench.manifest()))
    assert (code, bench.began()) == (2, [])
    assert "contain no ModelTraining 'other'" in err
    assert not bench.home.store_file.exists()


def test_a_training_goes_on_when_nobody_reads_what_it_tells(bench: Bench) -> None:
    bench.steps_do(checkout=["sleep 1"], train=["write x\n"] * 50)
    with bench.command("run", "-f", bench.manifest()) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("note: ")
        process.stderr.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process_alive_and_the_training_failed(bench: Bench, number: signal.Signals) -> None:
    name = f"grandchild-{bench.folder}"
    bench.steps_do(train=[f"grandchild {name}", "sleep 60"])
    process = bench.command("run", "-f", bench.manifest())
    until(lambda: processes_named(name))
    process.send_signal(number)
    code, _, err = ended(process)
    assert code == 130
    assert "interrupted; training 'wine' is recorded as failed" in err
    assert processes_named(name) == []
    assert list((bench.folder / "tmp").iterdir()) == []
    _, out, _ = ended(bench.command("get", "--id", "wine", "-o", "json"))
    status = json.loads(out)["status"]
    assert (status["state"], status["reason"], status["exitCode"]) == ("failed", "interrupted by the user", 130)
    assert [step["state"] for step in status["local"]["steps"]][-2:] == ["stopped", "skipped"]


def test_a_second_interrupt_kills_without_waiting(bench: Bench) -> None:
    name = f"grandchild-{bench.folder}"
    bench.steps_do(train=[f"grandchild {name}", "sleep 60"])
    process = bench.command("run", "-f", bench.manifest())
    until(lambda: processes_named(name))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert time.monotonic() - began < 4
    assert processes_named(name) == []
    assert '"state": "failed"' in ended(bench.command("get", "--id", "wine", "-o", "json"))[1]


def test_an_engine_that_was_killed_leaves_the_state_unknown_and_can_be_resumed(bench: Bench) -> None:
    name = f"grandchild-{bench.folder}"
    bench.steps_do(train=["show", f"grandchild {name}", "sleep 60"])
    manifest = bench.manifest()
    process = bench.command("run", "-f", manifest)
    until(lambda: processes_named(name))
    process.kill()
    ended(process)
    _, out, _ = ended(bench.command("list"))
    assert re.search(
        r"^wine +wine +1.0 +unknown .*the process that ran it ended without leaving a result; .*--resume", out, re.M
    )
    assert processes_named(name) != []

    bench.steps_do()
    before = len(bench.began())
    code, _, err = ended(bench.command("run", "-f", manifest, "--resume"))
    assert code == 0, err
    assert "download-a  succeeded in the earlier run" in err
    assert bench.began()[before:] == ["train", "package"]
    assert processes_named(name) == []
    assert list((bench.folder / "tmp").iterdir()) == []


def test_of_two_commands_that_start_one_training_at_once_one_is_refused(bench: Bench) -> None:
    bench.steps_do(checkout=["sleep 4"])
    manifest = bench.manifest()
    both = [ended(process) for process in [bench.command("run", "-f", manifest) for _ in range(2)]]
    assert sorted(code for code, _, _ in both) == [0, 2]
    [refused] = [err for code, _, err in both if code == 2]
    assert re.search(r"training 'wine' is running already, in process \d+\n  hint: wait for it", refused)
    assert sorted(bench.began()) == ["checkout", "download-a", "download-b", "package", "train"]


def test_logs_are_shown_for_all_steps_or_one_and_followed_to_the_end(bench: Bench) -> None:
    bench.steps_do(checkout=["write cloned\n"], train=["write epoch 1\n", "sleep 2", "write epoch 2\n"])
    process = bench.command("run", "-f", bench.manifest())
    until(lambda: "train" in bench.began())
    _, followed, _ = ended(bench.command("logs", "--id", "wine", "--step", "train", "--follow"))
    assert followed == "epoch 1\nepoch 2\n"
    ended(process)
    _, out, _ = ended(bench.command("logs", "--id", "wine"))
    assert (
        out
        == "checkout | cloned\ndownload-b | connection b: keySecret read as base64\ntrain | epoch 1\ntrain | epoch 2\n"
    )
    code, _, err = ended(bench.command("logs", "--id", "wine", "--step", "trian"))
    assert code == 2
    assert "did you mean train?" in err


def test_a_training_is_shown_in_odahus_form(bench: Bench) -> None:
    bench.run()
    _, out, _ = ended(bench.command("get", "--id", "wine", "-o", "json"))
    shown = json.loads(out)
    assert shown["spec"]["model"]["name"] == "wine"
    assert shown["spec"]["data"] == [{"connName": "a", "localPath": "data/"}, {"connName": "b", "localPath": "data/"}]
    assert shown["status"]["artifacts"] == [
        {"runId": "the-run-id", "artifactName": "the-artifact-name", "commitID": "the-commit-id"}
    ]
    _, listed, _ = ended(bench.command("list", "-o", "json"))
    assert json.loads(listed) == [shown]
    code, _, err = ended(bench.command("get", "--id", "beer"))
    assert code == 2
    assert "no training 'beer' was run on this machine" in err


def test_cleanup_removes_what_is_old_says_how_much_and_spares_what_runs(bench: Bench) -> None:
    bench.run()
    (bench.home.run("wine").workspace / "data").write_bytes(b"x" * 5000)
    _, out, _ = ended(bench.command("cleanup", "--older-than", "1h"))
    assert out == "0 removed, 0 bytes freed\n"
    code, out, err = ended(bench.command("cleanup"))
    assert (code, out) == (2, "")
    assert "--older-than DURATION or --all" in err
    _, out, _ = ended(bench.command("cleanup", "--all"))
    assert re.fullmatch(r"removed wine: 1\d{4} bytes\n1 removed, 1\d{4} bytes freed\n", out)
    assert not bench.home.run("wine").root.exists()
    assert ended(bench.command("list", "-o", "json"))[1] == "[]\n"

    bench.steps_do(checkout=["sleep 60"])
    process = bench.command("run", "-f", bench.manifest())
    until(lambda: len(bench.began()) > 5)
    code, _, err = ended(bench.command("cleanup", "--id", "wine"))
    assert (code, "training 'wine' is running" in err) == (2, True)
    assert ended(bench.command("cleanup", "--all"))[1] == "0 removed, 0 bytes freed\n"
    process.send_signal(signal.SIGINT)
    ended(process)


def test_on_a_terminal_a_table_of_the_steps_is_kept_up_to_date(bench: Bench) -> None:
    bench.steps_do(train=["write [red]epoch 1\n", "progress 40/100", "sleep 1"])
    terminal, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    script = Path(__file__).parent / "fake" / "odahu_argo_with_fake_steps.py"
    command = [sys.executable, str(script), "local", "train", "run", "-f", str(bench.manifest())]
    process = subprocess.Popen(command, stderr=side, stdout=subprocess.DEVNULL, env=environment)
    os.close(side)
    shown = b""
    while process.poll() is None or select.select([terminal], [], [], 0)[0]:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                break
    process.wait()
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "| [red]epoch 1" in text
    assert re.search(r"▸ train +running +40 %", text)
    assert re.search(r"✔ package +succeeded", text)


def test_trained_models_are_listed_and_removed_as_odahuflowctl_did(bench: Bench) -> None:
    models = bench.folder / "models"
    bench.environment.setenv("ODAHU_ARGO_CONFIG", str(bench.folder / "config"))
    (bench.folder / "config").write_text(f"[general]\nlocal_model_output_dir = {models}\n", encoding="utf-8")
    assert ended(bench.command("list", "-o", "text"))[1] == "Artifacts not found\n"
    code, out, err = ended(bench.command("run", "-f", bench.manifest()))
    assert code == 0, err
    assert f"artifact:     file://{models}/the-artifact-name" in out
    models.mkdir()
    (models / "the-artifact-name").write_text("zip", encoding="utf-8")
    (models / "of-someone-else").write_text("", encoding="utf-8")
    assert ended(bench.command("list", "-o", "text"))[1] == "Training artifacts:\n* the-artifact-name\n"
    code, out, _ = ended(bench.command("cleanup-artifacts"))
    assert (code, out) == (0, "removed the-artifact-name: 3 bytes\n1 removed, 3 bytes freed\n")
    assert [file.name for file in models.iterdir()] == ["of-someone-else"]
    assert ended(bench.command("list", "-o", "text"))[1] == "Artifacts not found\n"


def test_models_are_not_removed_while_a_training_runs(bench: Bench) -> None:
    bench.steps_do(train=["sleep 30"])
    running = bench.command("run", "-f", bench.manifest())
    until(lambda: bench.began()[-1:] == ["train"])
    bench.home.artifacts.mkdir(exist_ok=True)
    (bench.home.artifacts / "half").write_text("", encoding="utf-8")
    code, _, err = ended(bench.command("cleanup-artifacts"))
    assert code == 2 and "training 'wine' is running" in err
    assert (bench.home.artifacts / "half").exists()
    running.send_signal(signal.SIGINT)
    ended(running)
    assert ended(bench.command("cleanup-artifacts"))[0] == 0
    assert not (bench.home.artifacts / "half").exists()


@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["get"], ["logs"], ["cleanup"]])
def test_every_command_has_a_help_with_an_example(bench: Bench, command: list[str]) -> None:
    code, out, _ = ended(bench.command(*command, "--help"))
    assert code == 0
    assert not command or "Example: odahu-argo local train " in out
