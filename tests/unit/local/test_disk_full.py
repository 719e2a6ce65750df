"""A full disk before and during a run."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from odahu_argo.local.queries import list_trainings
from tests.local_engine import LocalEngine


@pytest.fixture
def engine(engine: LocalEngine, small_disk: Path) -> LocalEngine:
    """The engine with its home on the small disk."""
    home = engine.home.root
    shutil.copytree(home, small_disk, dirs_exist_ok=True)
    shutil.rmtree(home)
    home.symlink_to(small_disk)
    return engine


def fill(folder: Path) -> Path:
    file = folder / "filler"
    with pytest.raises(OSError), file.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass
    return file


def reports_full_disk(err: str) -> bool:
    return "Traceback" not in err and "None" not in err and ("full" in err or "No space left on device" in err)


def test_full_disk_before_the_run_starts_no_step(engine: LocalEngine) -> None:
    manifest = engine.manifest()
    filler = fill(engine.home.root)
    run = engine.command("run", "-f", manifest)
    assert (run.code, engine.started_steps()) == (3, []), run.err
    assert reports_full_disk(run.err), run.err
    filler.unlink()
    assert engine.command("run", "-f", manifest).code == 0


def test_disk_full_during_training_keeps_finished_steps(engine: LocalEngine) -> None:
    engine.set_actions(train=["fill-disk", "write epoch\n", "sleep 0.5", "fail 3 the disk is full"])
    manifest = engine.manifest()
    run = engine.command("run", "-f", manifest)
    assert run.code in (3, 4), run.err
    assert reports_full_disk(run.err), run.err
    (engine.home.run("wine").workspace / "filler").unlink()
    with closing(sqlite3.connect(engine.home.store_file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    [training] = list_trainings(engine.home)
    assert training.state in ("unknown", "failed")
    assert [step.state for step in training.steps[:3]] == ["succeeded"] * 3
    before = len(engine.started_steps())
    engine.set_actions()
    resumed = engine.command("run", "-f", manifest, "--resume")
    assert resumed.code == 0, resumed.err
    assert engine.started_steps()[before:] == ["train", "package"]
