"""Many manifests are read, and many workflows written, by several processes; nobody can tell from what is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import Profile, build_plans, compile_workflow, load, resolve
from odahu_argo.compile.emit import to_json, to_yaml
from odahu_argo.parallel import WORTH_SHARING
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.manifests import CONNECTIONS, training, write

KILLED = """
import os, signal, sys
from odahu_argo import shares
from odahu_argo.errors import ServiceFault

def killed(things):
    os.kill(os.getpid(), signal.SIGKILL)

shares._cores = lambda: 2
try:
    shares.in_shares(killed, range(shares.WORTH_SHARING))
except ServiceFault as error:
    sys.exit(str(error))
"""

MISTAKEN = """
from odahu_argo import shares

shares._cores = lambda: 2
shares.in_shares(lambda things: [1 // thing for thing in things], range(shares.WORTH_SHARING))
"""


def many(**fields: Any) -> list[dict[str, Any]]:
    return [training(**fields) | {"id": f"wine-{number:03}"} for number in range(WORTH_SHARING + 7)]


def test_many_plans_give_the_texts_that_each_gives_alone(tmp_path: Path) -> None:
    file = write(tmp_path, *many())
    plans = build_plans(resolve(load([file]), Profile()), Profile())
    for form, to_text in (("yaml", to_yaml), ("json", to_json)):
        ran = odahu_argo("compile", "-f", file, "--attempt", 2, "-o", form, "--output-dir", tmp_path / form)
        assert ran.code == 0
        written = {path.name: path.read_text("utf-8") for path in (tmp_path / form).iterdir()}
        assert written == {f"{each.training_id}.{form}": to_text([compile_workflow(each, 2)]) for each in plans}


def test_what_is_wrong_in_one_of_many_files_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    for each in many():
        (folder / f"{each['id']}.yaml").write_text(yaml.safe_dump(each))
    (folder / "connections.yaml").write_text(CONNECTIONS)
    (folder / "a-broken.yaml").write_text("kind: [")
    (folder / "z-not-text.yaml").write_bytes(b"\xff")
    ran = odahu_argo("compile", "-d", folder, "--output-dir", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    broken, not_text = (line for line in ran.err.splitlines() if line.startswith("error: "))
    assert broken.startswith(f"error: {folder}/a-broken.yaml:1: ")
    assert not_text == f"error: {folder}/z-not-text.yaml: is not UTF-8 text"
    assert not (tmp_path / "out").exists()


def test_standard_input_is_read_among_many_files(tmp_path: Path) -> None:
    for each in many():
        (tmp_path / f"{each['id']}.yaml").write_text(yaml.safe_dump(each))
    ran = odahu_argo("compile", "-f", "-", "-d", tmp_path, "--output-dir", tmp_path / "out", stdin=CONNECTIONS)
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert len(list((tmp_path / "out").iterdir())) == len(many())


def test_problems_are_told_in_the_order_in_which_files_were_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: [")
    ran = odahu_argo("plan", "-f", tmp_path / "broken.yaml", "-f", tmp_path / "nowhere.yaml")
    places = [line.split(": ")[1].partition(":")[0] for line in ran.err.splitlines() if line.startswith("error: ")]
    assert [Path(place).name for place in places] == ["broken.yaml", "nowhere.yaml"]


def test_a_mistake_of_ours_in_another_process_is_told_with_its_place() -> None:
    ran = subprocess.run([sys.executable, "-c", MISTAKEN], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.rstrip().splitlines()[-1].startswith("ZeroDivisionError: ")


def test_a_workflow_that_is_too_large_is_told_of_among_many_and_none_is_written(tmp_path: Path) -> None:
    data = [{"connName": "wine-data", "localPath": f"{number}/"} for number in range(1000)]
    large = training(data=data) | {"id": "too-large"}
    ran = odahu_argo("compile", "-f", write(tmp_path, *many(), large), "--output-dir", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert "the workflow of too-large would have" in ran.err and "Argo takes 1048576" in ran.err
    assert "hint: let one data connection fetch a whole folder" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_process_that_is_killed_is_a_fault_and_nobody_waits_for_it() -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.startswith("a process that did a part of the work was killed\n  hint: try again")
