"""Output for programs is UTF-8 in a locale with any encoding. Real processes with real locales."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, TrainingStore
from tests.manifests import training, write

TEXT = "größe 宽"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""By default, Python uses UTF-8 in this locale."""
LATIN_1 = {"LC_ALL": "de_DE.ISO-8859-1"}


@pytest.fixture(scope="module", params=["ASCII", "ISO-8859-1", "PYTHONIOENCODING"])
def locale_variables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a locale that cannot encode the text. Without localedef, ASCII replaces ISO-8859-1."""
    if request.param == "PYTHONIOENCODING":
        return {"PYTHONIOENCODING": "iso-8859-1"}
    if request.param == "ASCII" or not shutil.which("localedef"):
        return ASCII
    folder = tmp_path_factory.mktemp("locales")
    target = folder / LATIN_1["LC_ALL"]
    command = ["localedef", "--no-archive", "-c", "-i", "de_DE", "-f", "ISO-8859-1", str(target)]
    built = subprocess.run(command, capture_output=True, check=False)
    return {**LATIN_1, "LOCPATH": str(folder)} if built.returncode == 0 or target.exists() else ASCII


def run_in_locale(
    variables: dict[str, str], *arguments: object, program: tuple[str, ...] = ("-m", "odahu_argo")
) -> subprocess.CompletedProcess[bytes]:
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**inherited, **variables}, check=False)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write(tmp_path, training(hyperParameters={"name": TEXT}, envs=[{"name": "A", "value": TEXT}]))


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_compile_writes_the_bytes_of_a_utf8_locale(locale_variables: dict[str, str], manifest: Path, form: str) -> None:
    ran = run_in_locale(locale_variables, "compile", "-f", manifest, "-o", form)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == run_in_locale({"LC_ALL": "C.UTF-8"}, "compile", "-f", manifest, "-o", form).stdout
    assert TEXT in ran.stdout.decode("utf-8")


@pytest.mark.parametrize("form", ["json", "mermaid"])
def test_plan_is_utf8(locale_variables: dict[str, str], manifest: Path, form: str) -> None:
    ran = run_in_locale(locale_variables, "plan", "-f", manifest, "-o", form)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == run_in_locale({"LC_ALL": "C.UTF-8"}, "plan", "-f", manifest, "-o", form).stdout


def test_plan_for_people_replaces_characters(manifest: Path) -> None:
    ran = run_in_locale(ASCII, "plan", "-f", manifest)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii()


def test_status_is_utf8(locale_variables: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "workflow.json"
    metadata = {"name": "wine-1", "labels": {"odahu.org/training-id": "wine"}}
    workflow = {"kind": "Workflow", "metadata": metadata, "status": {"phase": "Error", "message": TEXT}}
    file.write_text(json.dumps(workflow), encoding="utf-8")
    ran = run_in_locale(locale_variables, "status", "-f", file, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert TEXT in ran.stdout.decode("utf-8")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_local_training_is_utf8(locale_variables: dict[str, str], tmp_path: Path, form: str) -> None:
    home = Home(tmp_path / "home")
    record = LocalTraining("wine", "wine", "1", "mlflow", "failed", "2026-01-01", "2026-01-01", "0", "file:///a", TEXT)
    TrainingStore(home.store_file).save(record)
    ran = run_in_locale({**locale_variables, **home.environment}, "local", "train", "get", "--id", "wine", "-o", form)
    assert ran.returncode == 0, ran.stderr
    assert TEXT in ran.stdout.decode("utf-8")


@pytest.mark.parametrize("form", ["json", "yaml", "jsonpath=[0].spec.description"])
def test_resources_are_utf8(locale_variables: dict[str, str], form: str) -> None:
    resource = {"kind": "Connection", "id": "code", "spec": {"description": TEXT}}
    script = f"from odahu_argo.cli import formats; formats.show([{resource!a}], {form!r}, None)"
    ran = run_in_locale(locale_variables, "-c", script, program=())
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert TEXT in ran.stdout.decode("utf-8")


def test_problems_as_json_are_utf8(locale_variables: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path, training(image=TEXT))
    ran = run_in_locale(locale_variables, "compile", "-f", file, "-o", "json")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert TEXT in json.loads(ran.stderr.decode("utf-8"))["problems"][0]["message"]
