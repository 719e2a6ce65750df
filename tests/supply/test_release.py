"""What is released is the same, byte for byte, wherever and whenever it is built, and says what it is made of."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def built(source: Path, target: Path, time: int, mode: int) -> dict[str, str]:
    """Digests of wheel and source archive, built from a copy whose files have this time and mode."""
    for name in tracked_files():
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, file)
        file.chmod(mode)
        os.utime(file, (time, time))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in target.iterdir()}


def test_two_builds_in_two_folders_give_the_same_bytes(tmp_path: Path) -> None:
    one = built(tmp_path / "one", tmp_path / "first", time=1_600_000_000, mode=0o644)
    other = built(tmp_path / "a longer name", tmp_path / "second", time=1_700_000_123, mode=0o664)
    assert len(one) == 2
    assert one == other


def test_a_release_names_every_package_it_needs_with_its_version(tmp_path: Path) -> None:
    release = subprocess.run(
        ["make", "release", f"DIST={tmp_path}", f"BIN={Path(sys.executable).parent}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert release.returncode == 0, release.stderr
    [bill] = tmp_path.glob("*.cdx.json")
    content = json.loads(bill.read_text())
    parts = {part["name"]: part["version"] for part in content["components"]}
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    assert {"pyyaml", "pydantic", "kubernetes", "mlflow", "fastapi"} <= set(parts)
    assert "pytest" not in parts
    assert {name: pinned[name] for name in parts} == parts
    assert content["metadata"]["component"]["name"] == "odahu-argo"
    sums = (tmp_path / "SHA256SUMS").read_text()
    assert {line.split()[1] for line in sums.splitlines()} == {
        file.name for file in tmp_path.iterdir() if file.name != "SHA256SUMS"
    }
