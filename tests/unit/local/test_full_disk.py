"""The engine's home on a disk that is full before or during a run."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from odahu_argo.local.queries import list_trainings
from tests.servers.disk import small_disk
from tests.unit.local.conftest import Bench
from tests.unit.local.test_commands import ended

__all__ = ["small_disk"]


@pytest.fixture
def cramped(bench: Bench, small_disk: Path) -> Iterator[Bench]:
    """A home with 3 MB."""
    home = bench.home.root
    shutil.copytree(home, small_disk, dirs_exist_ok=True)
    shutil.rmtree(home)
    home.symlink_to(small_disk)
    yield bench


def fill(folder: Path) -> Path:
    file = folder / "ballast"
    with pytest.raises(OSError), file.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass
    return file


def is_told(err: str) -> bool:
    return "Traceback" not in err and ("full" in err or "No space left on device" in err)


def test_where_the_disk_is_full_from_the_beginning_nothing_is_begun(cramped: Bench) -> None:
    manifest = cramped.manifest()
    ballast = fill(cramped.home.root)
    code, _, err = ended(cramped.command("run", "-f", manifest))
    assert (code, cramped.began()) == (3, []), err
    assert is_told(err), err
    ballast.unlink()
    assert ended(cramped.command("run", "-f", manifest))[0] == 0


def test_a_disk_that_fills_up_during_the_training_costs_no_finished_step(cramped: Bench) -> None:
    cramped.steps_do(train=["fill", "write epoch\n", "sleep 0.5", "fail 3 the disk is full"])
    manifest = cramped.manifest()
    code, _, err = ended(cramped.command("run", "-f", manifest))
    assert code in (3, 4), err
    assert is_told(err), err
    (cramped.home.run("wine").workspace / "filling").unlink()
    with closing(sqlite3.connect(cramped.home.store_file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    [left] = list_trainings(cramped.home)
    assert left.state in ("unknown", "failed")
    assert [step.state for step in left.steps[:3]] == ["succeeded"] * 3
    before = len(cramped.began())
    cramped.steps_do()
    code, _, err = ended(cramped.command("run", "-f", manifest, "--resume"))
    assert code == 0, err
    assert cramped.began()[before:] == ["train", "package"]
