from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest

from odahu_argo.errors import UserError
from odahu_argo.local.events import StepOutput, StepProgress, StepRetried
from odahu_argo.local.queries import get_training
from odahu_argo.local.store import TrainingStore
from odahu_argo.profile import Profile, Retries, Timeouts
from tests.unit.local.conftest import CONNECTIONS, Bench


def test_a_run_to_its_end_records_state_artifacts_and_a_log_for_each_step(bench: Bench) -> None:
    bench.steps_do(train=["write epoch 1\n"])
    ended = bench.run()
    assert (ended.state, ended.exit_code, ended.reason) == ("succeeded", 0, "")
    assert (ended.commit_id, ended.run_id, ended.artifact_name) == ("the-commit-id", "the-run-id", "the-artifact-name")
    assert ended.artifact_uri == (bench.home.artifacts / "the-artifact-name").as_uri()
    assert set(bench.states(ended).values()) == {"succeeded"}
    assert bench.home.run("wine").log("train").read_text() == "epoch 1\n"
    assert TrainingStore(bench.home.store_file).get("wine") == ended


def test_downloads_run_side_by_side_after_the_checkout_and_before_the_training(bench: Bench) -> None:
    bench.steps_do(download_a=["sleep 1.5"], download_b=["sleep 1.5"])
    bench.run()
    when = {(what, name): at for what, name, at in bench.trace()}
    assert when["began", "download-a"] < when["ended", "download-b"]
    assert when["began", "download-b"] < when["ended", "download-a"]
    assert when["ended", "checkout"] < min(when["began", "download-a"], when["began", "download-b"])
    assert max(when["ended", "download-a"], when["ended", "download-b"]) < when["began", "train"]


def test_the_first_failure_stops_the_siblings_and_is_the_reason(bench: Bench) -> None:
    bench.steps_do(download_a=["sleep 60"], download_b=["sleep 0.3", "fail 2 there is no object s3://b/data/"])
    began = time.monotonic()
    ended = bench.run()
    assert time.monotonic() - began < 20
    assert (ended.state, ended.exit_code) == ("failed", 2)
    assert ended.reason == "download-b: there is no object s3://b/data/"
    assert bench.states(ended) == {
        "checkout": "succeeded",
        "download-a": "stopped",
        "download-b": "failed",
        "train": "skipped",
        "package": "skipped",
    }
    assert ended.commit_id == "the-commit-id"


def test_a_fault_is_tried_again_and_a_users_mistake_is_not(bench: Bench) -> None:
    profile = Profile(retries=Retries(first_wait="1s"))
    bench.steps_do(checkout=["once fail 3 the server is away"], train=["fail 2 no such entry point"])
    ended = bench.run(profile)
    assert bench.began() == ["checkout", "checkout", "download-a", "download-b", "train"] or bench.began() == [
        "checkout",
        "checkout",
        "download-b",
        "download-a",
        "train",
    ]
    assert ended.reason == "train: no such entry point"
    assert [e for e in bench.events if isinstance(e, StepRetried)] == [
        StepRetried("checkout", "the server is away", 1.0)
    ]
    assert "attempt 2" in bench.home.run("wine").log("checkout").read_text()


def test_a_fault_that_stays_ends_the_training_after_the_retries(bench: Bench) -> None:
    bench.steps_do(checkout=["fail 3 the server is away"])
    ended = bench.run(Profile(retries=Retries(transfer="1", first_wait="1s")))
    assert bench.began() == ["checkout", "checkout"]
    assert (ended.state, ended.exit_code, ended.reason) == ("failed", 3, "checkout: the server is away")


def test_a_step_that_takes_too_long_fails(bench: Bench) -> None:
    bench.steps_do(train=["sleep 60"])
    ended = bench.run(Profile(timeouts=Timeouts(train="1s")))
    assert (ended.state, ended.reason) == ("failed", "train: took longer than 1 s")


def test_a_process_that_a_step_leaves_behind_ends_with_the_step(bench: Bench) -> None:
    name = f"left-behind-{bench.folder}"
    bench.steps_do(checkout=[f"grandchild {name}"])
    ended = bench.run()
    assert ended.state == "succeeded"
    assert processes_named(name) == []


def test_resume_keeps_what_succeeded_and_runs_the_rest(bench: Bench) -> None:
    bench.steps_do(train=["fail 2 out of luck"])
    assert bench.run().state == "failed"
    (bench.home.run("wine").workspace / "kept").touch()
    before = len(bench.began())
    bench.steps_do()
    ended = bench.run(resume=True)
    assert bench.began()[before:] == ["train", "package"]
    assert (ended.state, ended.reason, ended.commit_id) == ("succeeded", "", "the-commit-id")
    assert (bench.home.run("wine").workspace / "kept").exists()


def test_a_new_run_begins_in_an_empty_workspace(bench: Bench) -> None:
    bench.run()
    (bench.home.run("wine").workspace / "old").touch()
    bench.run()
    assert not (bench.home.run("wine").workspace / "old").exists()


def test_a_run_that_cannot_begin_leaves_the_earlier_one_alone(bench: Bench) -> None:
    before = bench.run()
    with pytest.raises(UserError):
        bench.run(Profile().with_external(("a",)), connections=without("a"))
    assert get_training(bench.home, "wine") == before
    assert bench.home.run("wine").log("train").exists()


def without(connection: str) -> str:
    return "---\n".join(part for part in CONNECTIONS.split("---\n") if f"id: {connection}\n" not in part)


def test_resume_is_refused_without_an_earlier_run_and_after_a_success(bench: Bench) -> None:
    with pytest.raises(UserError, match="no earlier run of 'wine'"):
        bench.run(resume=True)
    bench.run()
    with pytest.raises(UserError, match="succeeded; nothing is left to resume"):
        bench.run(resume=True)


def test_resume_is_refused_when_the_manifest_has_changed(bench: Bench) -> None:
    bench.steps_do(train=["fail 2 no"])
    bench.run()
    with pytest.raises(UserError, match=r"has changed since the earlier run\n  hint: run it without --resume"):
        bench.run(resume=True, hyperParameters={"alpha": "2"})
    with pytest.raises(UserError, match="has changed"):
        bench.run(resume=True, connections=CONNECTIONS.replace("s3://a/data/", "s3://a/other/"))


def test_connections_that_live_on_the_cluster_cannot_be_used_here(bench: Bench) -> None:
    with pytest.raises(UserError) as error:
        bench.run(Profile().with_external(("a", "b")), connections=CONNECTIONS.partition("---")[0])
    assert [problem.hint for problem in error.value.problems] == [
        "give the manifest of a by -f",
        "give the manifest of b by -f",
    ]


def test_a_value_read_as_base64_is_said_in_the_log(bench: Bench) -> None:
    bench.run()
    assert bench.home.run("wine").log("download-b").read_text() == "connection b: keySecret read as base64\n"
    assert bench.home.run("wine").log("download-a").read_text() == ""


def test_folders_that_the_training_made_read_only_are_cleared_too(bench: Bench) -> None:
    bench.run()
    outside, locked = bench.folder / "outside", bench.home.run("wine").workspace / "locked"
    outside.mkdir(mode=0o500)
    (locked / "inner").mkdir(parents=True)
    (locked / "link").symlink_to(outside)
    (locked / "inner").chmod(0o500)
    locked.chmod(0o500)
    bench.run()
    assert not locked.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_the_trained_model_goes_to_the_output_connection_unless_a_folder_is_named(bench: Bench) -> None:
    bench.steps_do(package=["show"])
    models = with_output("s3", "s3://models/path?of=#1")
    ended = bench.run(connections=models, outputConnection="models")
    assert ended.artifact_uri == "s3://models/path?of=#1/the-artifact-name"
    ended = bench.run(
        connections=with_output("azureblob", "https://a.blob.core.windows.net/box/path?sig=canary"),
        outputConnection="models",
    )
    assert ended.artifact_uri == "https://a.blob.core.windows.net/box/path/the-artifact-name"
    ended = bench.run(connections=models, outputConnection="models", output_dir=Path("/srv/my models"))
    assert ended.artifact_uri == "file:///srv/my%20models/the-artifact-name"
    assert (bench.folder / "seen-package-uri").read_text() == "file:///srv/my%20models"


def with_output(kind: str, uri: str) -> str:
    return f'{CONNECTIONS}---\nkind: Connection\nid: models\nspec: {{type: {kind}, uri: "{uri}"}}\n'


def test_a_step_sees_its_own_connection_only_readable_by_this_user_alone(bench: Bench) -> None:
    bench.steps_do(**{name: ["show"] for name in ("checkout", "download_a", "train")})
    bench.run()
    log = bench.home.run("wine").log
    seen = log("download-a").read_text().splitlines()[:-1]
    assert seen == ["700 600 a/keyID", "700 600 a/keySecret", "700 600 a/type", "700 600 a/uri"]
    assert log("checkout").read_text().splitlines()[:-1] == ["700 600 code/type", "700 600 code/uri"]
    assert log("train").read_text() == "secrets:\n"


def test_a_secret_reaches_its_step_in_plain_and_nothing_else(bench: Bench) -> None:
    bench.steps_do(download_a=["show", "fail 2 bad key canary-of-connection-a"], download_b=["show", "sleep 60"])
    found_during_the_run: list[bytes] = []
    bench.events = Watching(lambda: found_during_the_run.append(bench.everything_on_disk()))  # type: ignore[assignment]
    ended = bench.run()
    assert (bench.folder / "seen-download-a-keySecret").read_text() == "canary-of-connection-a"
    assert ended.reason == "download-a: bad key ***"
    assert "secrets: ***" in bench.home.run("wine").log("download-a").read_text()
    for content in (*found_during_the_run, bench.everything_on_disk(), repr(bench.events).encode()):
        assert b"canary-of-connection" not in content
        assert b"Y2FuYXJ5" not in content
    assert list((bench.folder / "tmp").iterdir()) == []


class Watching(list):  # type: ignore[type-arg]
    """Events, with a look at the disk at each."""

    def __init__(self, look) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.look = look

    def append(self, event: object) -> None:
        super().append(event)
        self.look()


def test_a_second_run_of_the_same_training_is_refused(bench: Bench) -> None:
    bench.steps_do(checkout=["sleep 4"])
    first = threading.Thread(target=bench.run)
    first.start()
    until = time.monotonic() + 30
    while not bench.began():
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(UserError, match=r"training 'wine' is running already, in process \d+"):
        bench.run()
    assert get_training(bench.home, "wine").state == "running"
    first.join()
    assert get_training(bench.home, "wine").state == "succeeded"


def test_output_of_any_kind_comes_through_as_lines(bench: Bench) -> None:
    bench.steps_do(train=["write one\r\n[bold]\x1b[31mtwo\x1b[0m\x07\n\xff\xfe\nno end", "sleep 0.3", "write  yet"])
    bench.run()
    lines = [e.text for e in bench.events if isinstance(e, StepOutput) and e.step == "train"]
    assert lines == ["one", "[bold]two?", "\ufffd\ufffd", "no end yet"]


def test_progress_is_told_in_percent(bench: Bench) -> None:
    bench.steps_do(train=["progress nonsense", "sleep 0.5", "progress 3/4", "sleep 0.5"])
    bench.run()
    assert [e for e in bench.events if isinstance(e, StepProgress)] == [StepProgress("train", 75)]


def processes_named(name: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if name in (p.info["cmdline"] or [])]
