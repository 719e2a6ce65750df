from __future__ import annotations

import _thread
import signal
import threading
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.local.events import StepOutput, StepProgress, StepRetried
from odahu_argo.local.queries import get_training
from odahu_argo.local.signals import Interrupted, TerminationSignals
from odahu_argo.local.store import TrainingStore
from odahu_argo.profile import Profile, Retries, Timeouts
from tests.local_engine import CONNECTIONS, LocalEngine, processes_with_argument, step_states, wait_until


def test_successful_run_records_state_artifacts_and_logs(engine: LocalEngine) -> None:
    engine.set_actions(train=["write epoch 1\n"])
    result = engine.run()
    assert (result.state, result.exit_code, result.reason) == ("succeeded", 0, "")
    assert (result.commit_id, result.run_id, result.artifact_name) == (
        "the-commit-id",
        "the-run-id",
        "the-artifact-name",
    )
    assert result.artifact_uri == (engine.home.artifacts / "the-artifact-name").as_uri()
    assert set(step_states(result).values()) == {"succeeded"}
    assert engine.home.run("wine").log("train").read_text() == "epoch 1\n"
    assert TrainingStore(engine.home.store_file).get("wine") == result


def test_downloads_run_in_parallel_between_checkout_and_training(engine: LocalEngine) -> None:
    engine.set_actions(download_a=["sleep 1.5"], download_b=["sleep 1.5"])
    engine.run()
    times = {(event, name): at for event, name, at in engine.trace()}
    assert times["started", "download-a"] < times["ended", "download-b"]
    assert times["started", "download-b"] < times["ended", "download-a"]
    assert times["ended", "checkout"] < min(times["started", "download-a"], times["started", "download-b"])
    assert max(times["ended", "download-a"], times["ended", "download-b"]) < times["started", "train"]


def test_first_failure_stops_other_steps_and_is_the_reason(engine: LocalEngine) -> None:
    engine.set_actions(download_a=["sleep 60"], download_b=["sleep 0.3", "fail 2 no such object: s3://b/data/"])
    result = engine.run()
    assert (result.state, result.exit_code) == ("failed", 2)
    assert result.reason == "download-b: no such object: s3://b/data/"
    assert step_states(result) == {
        "checkout": "succeeded",
        "download-a": "stopped",
        "download-b": "failed",
        "train": "skipped",
        "package": "skipped",
    }
    assert result.commit_id == "the-commit-id"


def test_retries_transient_faults_but_not_user_errors(engine: LocalEngine) -> None:
    profile = Profile(retries=Retries(first_wait="1s"))
    engine.set_actions(checkout=["once fail 3 server unavailable"], train=["fail 2 no such entry point"])
    result = engine.run(profile)
    started = engine.started_steps()
    assert (started[:2], started[-1]) == (["checkout", "checkout"], "train")
    assert sorted(started[2:-1]) == ["download-a", "download-b"]
    assert result.reason == "train: no such entry point"
    assert [event for event in engine.events if isinstance(event, StepRetried)] == [
        StepRetried("checkout", "server unavailable", 1.0)
    ]
    assert "attempt 2" in engine.home.run("wine").log("checkout").read_text()


def test_persistent_fault_fails_after_the_retry_limit(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["fail 3 server unavailable"])
    result = engine.run(Profile(retries=Retries(transfer="1", first_wait="1s")))
    assert engine.started_steps() == ["checkout", "checkout"]
    assert (result.state, result.exit_code, result.reason) == ("failed", 3, "checkout: server unavailable")


def test_step_fails_after_its_timeout(engine: LocalEngine) -> None:
    engine.set_actions(train=["sleep 60"])
    result = engine.run(Profile(timeouts=Timeouts(train="1s")))
    assert (result.state, result.reason) == ("failed", "train: exceeded its timeout of 1 s")


def test_terminates_processes_left_by_a_step(engine: LocalEngine) -> None:
    argument = f"background-{engine.folder}"
    engine.set_actions(checkout=[f"grandchild {argument}"])
    result = engine.run()
    assert result.state == "succeeded"
    assert processes_with_argument(argument) == []


def test_resume_skips_successful_steps(engine: LocalEngine) -> None:
    engine.set_actions(train=["fail 2 no"])
    assert engine.run().state == "failed"
    (engine.home.run("wine").workspace / "kept").touch()
    before = len(engine.started_steps())
    engine.set_actions()
    result = engine.run(resume=True)
    assert engine.started_steps()[before:] == ["train", "package"]
    assert (result.state, result.reason, result.commit_id) == ("succeeded", "", "the-commit-id")
    assert (engine.home.run("wine").workspace / "kept").exists()


def test_new_run_starts_with_an_empty_workspace(engine: LocalEngine) -> None:
    engine.run()
    (engine.home.run("wine").workspace / "old").touch()
    engine.run()
    assert not (engine.home.run("wine").workspace / "old").exists()


def test_rejected_run_keeps_the_earlier_run(engine: LocalEngine) -> None:
    before = engine.run()
    with pytest.raises(UserError):
        engine.run(Profile().with_external(("a",)), connections=connections_without("a"))
    assert get_training(engine.home, "wine") == before
    assert engine.home.run("wine").log("train").exists()


def connections_without(connection: str) -> str:
    return "---\n".join(part for part in CONNECTIONS.split("---\n") if f"id: {connection}\n" not in part)


def test_resume_needs_an_unsuccessful_earlier_run(engine: LocalEngine) -> None:
    with pytest.raises(UserError, match="cannot resume 'wine': no earlier run exists"):
        engine.run(resume=True)
    engine.run()
    with pytest.raises(UserError, match="the earlier run succeeded"):
        engine.run(resume=True)


def test_resume_rejects_a_changed_manifest(engine: LocalEngine) -> None:
    engine.set_actions(train=["fail 2 no"])
    engine.run()
    with pytest.raises(UserError, match=r"its manifest changed since the earlier run\n  hint: run it without --resume"):
        engine.run(resume=True, hyperParameters={"alpha": "2"})
    with pytest.raises(UserError, match="manifest changed"):
        engine.run(resume=True, connections=CONNECTIONS.replace("s3://a/data/", "s3://a/other/"))


def test_reports_all_connections_that_exist_only_on_the_cluster(engine: LocalEngine) -> None:
    with pytest.raises(UserError) as error:
        engine.run(Profile().with_external(("a", "b")), connections=CONNECTIONS.partition("---")[0])
    assert [problem.hint for problem in error.value.problems] == [
        "pass the manifest of a with -f",
        "pass the manifest of b with -f",
    ]


def test_log_names_fields_decoded_from_base64(engine: LocalEngine) -> None:
    engine.run()
    assert engine.home.run("wine").log("download-b").read_text() == "connection b: decoded from base64: keySecret\n"
    assert engine.home.run("wine").log("download-a").read_text() == ""


def test_new_run_removes_read_only_folders(engine: LocalEngine) -> None:
    engine.run()
    outside, locked = engine.folder / "outside", engine.home.run("wine").workspace / "locked"
    outside.mkdir(mode=0o500)
    (locked / "inner").mkdir(parents=True)
    (locked / "link").symlink_to(outside)
    (locked / "inner").chmod(0o500)
    locked.chmod(0o500)
    engine.run()
    assert not locked.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_output_folder_overrides_the_output_connection(engine: LocalEngine) -> None:
    engine.set_actions(package=["show-connections"])
    models = with_output_connection("s3", "s3://models/path?of=#1")
    result = engine.run(connections=models, outputConnection="models")
    assert result.artifact_uri == "s3://models/path?of=#1/the-artifact-name"
    result = engine.run(
        connections=with_output_connection("azureblob", "https://a.blob.core.windows.net/box/path?sig=canary"),
        outputConnection="models",
    )
    assert result.artifact_uri == "https://a.blob.core.windows.net/box/path/the-artifact-name"
    result = engine.run(connections=models, outputConnection="models", output_dir=Path("/srv/my models"))
    assert result.artifact_uri == "file:///srv/my%20models/the-artifact-name"
    assert (engine.folder / "field-package-uri").read_text() == "file:///srv/my%20models"


def with_output_connection(kind: str, uri: str) -> str:
    return f'{CONNECTIONS}---\nkind: Connection\nid: models\nspec: {{type: {kind}, uri: "{uri}"}}\n'


def test_step_gets_only_its_own_connection_with_private_permissions(engine: LocalEngine) -> None:
    engine.set_actions(**{name: ["show-connections"] for name in ("checkout", "download_a", "train")})
    engine.run()
    log = engine.home.run("wine").log
    lines = log("download-a").read_text().splitlines()[:-1]
    assert lines == ["700 600 a/keyID", "700 600 a/keySecret", "700 600 a/type", "700 600 a/uri"]
    assert log("checkout").read_text().splitlines()[:-1] == ["700 600 code/type", "700 600 code/uri"]
    assert log("train").read_text() == "secrets:\n"


def test_secrets_reach_only_their_step(engine: LocalEngine) -> None:
    engine.set_actions(
        download_a=["show-connections", "fail 2 bad key canary-of-connection-a"],
        download_b=["show-connections", "sleep 60"],
    )
    content_during_run: list[bytes] = []
    engine.after_event = lambda: content_during_run.append(engine.all_file_content())
    result = engine.run()
    assert (engine.folder / "field-download-a-keySecret").read_text() == "canary-of-connection-a"
    assert result.reason == "download-a: bad key ***"
    assert "secrets: ***" in engine.home.run("wine").log("download-a").read_text()
    for content in (*content_during_run, engine.all_file_content(), repr(engine.events).encode()):
        assert b"canary-of-connection" not in content
        assert b"Y2FuYXJ5" not in content
    assert list((engine.folder / "tmp").iterdir()) == []


def test_rejects_a_concurrent_run_of_the_same_training(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["sleep 4"])
    first = threading.Thread(target=engine.run)
    first.start()
    wait_until(engine.started_steps)
    with pytest.raises(UserError, match=r"training 'wine' is already running in process \d+"):
        engine.run()
    assert get_training(engine.home, "wine").state == "running"
    first.join()
    assert get_training(engine.home, "wine").state == "succeeded"


def test_output_becomes_plain_lines(engine: LocalEngine) -> None:
    engine.set_actions(train=["write one\r\n[bold]\x1b[31mtwo\x1b[0m\x07\n\xff\xfe\nno end", "sleep 0.3", "write  yet"])
    engine.run()
    lines = [event.text for event in engine.events if isinstance(event, StepOutput) and event.step == "train"]
    assert lines == ["one", "[bold]two?", "\ufffd\ufffd", "no end yet"]


def test_reports_progress_in_percent(engine: LocalEngine) -> None:
    engine.set_actions(train=["progress nonsense", "sleep 0.5", "progress 3/4", "sleep 0.5"])
    engine.run()
    assert [event for event in engine.events if isinstance(event, StepProgress)] == [StepProgress("train", 75)]


def test_signal_before_the_first_step_starts_nothing(engine: LocalEngine) -> None:
    signals = TerminationSignals()
    signals.count = 1
    with pytest.raises(Interrupted):
        engine.run(signals=signals)
    assert engine.started_steps() == []
    assert TrainingStore(engine.home.store_file).all() == []


def test_signal_stops_the_run_and_records_the_failure(engine: LocalEngine) -> None:
    signals = TerminationSignals()
    engine.after_event = lambda: signals.handle(signal.SIGTERM, None)
    engine.set_actions(checkout=["sleep 60"])
    with pytest.raises(Interrupted, match="continue it with --resume"):
        engine.run(signals=signals)
    assert get_training(engine.home, "wine").reason == "interrupted by the user"


def test_keyboard_interrupt_without_signal_handlers_stops_the_run(engine: LocalEngine) -> None:
    engine.set_actions(checkout=["sleep 60"])
    threading.Thread(target=lambda: (wait_until(engine.started_steps), _thread.interrupt_main())).start()
    with pytest.raises(KeyboardInterrupt):
        engine.run()
    training = get_training(engine.home, "wine")
    assert (training.state, training.reason) == ("failed", "interrupted by the user")
    assert step_states(training)["checkout"] == "stopped"
