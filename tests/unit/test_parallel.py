"""Commands with enough manifests to be processed in parallel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from odahu_argo import Profile, build_plans, compile_workflow, load, resolve
from odahu_argo.compile.emit import to_json, to_yaml
from odahu_argo.parallel import MIN_ITEMS_PER_PROCESS
from tests.commands import odahu_argo
from tests.conftest import ROOT
from tests.manifests import CONNECTIONS, training, write

KILLED_WORKER = """
import os, signal, sys
from odahu_argo import parallel
from odahu_argo.errors import ServiceFault

def kill(item):
    os.kill(os.getpid(), signal.SIGKILL)

parallel._available_cores = lambda: 2
try:
    parallel.parallel_map(kill, range(2 * parallel.MIN_ITEMS_PER_PROCESS))
except ServiceFault as error:
    sys.exit(str(error))
"""

UNEXPECTED_EXCEPTION = """
from odahu_argo import parallel

def divide(item):
    return 1 // item

parallel._available_cores = lambda: 2
parallel.parallel_map(divide, range(2 * parallel.MIN_ITEMS_PER_PROCESS))
"""


def many(**fields: Any) -> list[dict[str, Any]]:
    return [training(**fields) | {"id": f"wine-{number:03}"} for number in range(2 * MIN_ITEMS_PER_PROCESS + 7)]


def test_many_trainings_compile_to_the_same_text_as_each_alone(tmp_path: Path) -> None:
    file = write(tmp_path, *many())
    plans = build_plans(resolve(load([file]), Profile()), Profile())
    for form, to_text in (("yaml", to_yaml), ("json", to_json)):
        ran = odahu_argo("compile", "-f", file, "--attempt", 2, "-o", form, "--output-dir", tmp_path / form)
        assert ran.code == 0
        written = {path.name: path.read_text("utf-8") for path in (tmp_path / form).iterdir()}
        assert written == {f"{plan.training_id}.{form}": to_text([compile_workflow(plan, 2)]) for plan in plans}


def test_invalid_file_among_many_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    for manifest in many():
        (folder / f"{manifest['id']}.yaml").write_text(yaml.safe_dump(manifest))
    (folder / "connections.yaml").write_text(CONNECTIONS)
    (folder / "a-broken.yaml").write_text("kind: [")
    (folder / "z-not-text.yaml").write_bytes(b"\xff")
    ran = odahu_argo("compile", "-d", folder, "--output-dir", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    broken, not_text = (line for line in ran.err.splitlines() if line.startswith("error: "))
    assert broken.startswith(f"error: {folder}/a-broken.yaml:1: ")
    assert not_text == f"error: {folder}/z-not-text.yaml: not UTF-8 text"
    assert not (tmp_path / "out").exists()


def test_standard_input_can_be_combined_with_many_files(tmp_path: Path) -> None:
    for manifest in many():
        (tmp_path / f"{manifest['id']}.yaml").write_text(yaml.safe_dump(manifest))
    ran = odahu_argo("compile", "-f", "-", "-d", tmp_path, "--output-dir", tmp_path / "out", stdin=CONNECTIONS)
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert len(list((tmp_path / "out").iterdir())) == len(many())


def test_problems_are_reported_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: [")
    ran = odahu_argo("plan", "-f", tmp_path / "broken.yaml", "-f", tmp_path / "nowhere.yaml")
    places = [line.split(": ")[1].partition(":")[0] for line in ran.err.splitlines() if line.startswith("error: ")]
    assert [Path(place).name for place in places] == ["broken.yaml", "nowhere.yaml"]


def test_unexpected_exception_in_a_worker_is_raised() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", UNEXPECTED_EXCEPTION], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1
    assert ran.stderr.rstrip().splitlines()[-1].startswith("ZeroDivisionError: ")


def test_oversized_workflow_among_many_prevents_all_output(tmp_path: Path) -> None:
    data = [{"connName": "wine-data", "localPath": f"{number}/"} for number in range(1000)]
    large = training(data=data) | {"id": "too-large"}
    ran = odahu_argo("compile", "-f", write(tmp_path, *many(), large), "--output-dir", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert "the workflow of too-large has" in ran.err and "Argo's limit is 1048576" in ran.err
    assert "hint: download a whole prefix with one data connection" in ran.err
    assert not (tmp_path / "out").exists()


def test_killed_worker_is_a_fault() -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED_WORKER], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.startswith("a worker process was killed\n  hint: try again")
