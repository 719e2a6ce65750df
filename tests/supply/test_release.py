"""Release archives: reproducible builds, and an SBOM that lists every dependency."""

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
    output = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in output.split("\0") if name and (ROOT / name).is_file()]


def build(source: Path, target: Path, mtime: int, mode: int) -> dict[str, str]:
    """Copy the repository, build wheel and source archive from the copy, and return their digests by file name."""
    for name in tracked_files():
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, file)
        file.chmod(mode)
        os.utime(file, (mtime, mtime))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in target.iterdir()}


def test_builds_do_not_depend_on_directory_file_times_and_modes(tmp_path: Path) -> None:
    first = build(tmp_path / "one", tmp_path / "first", mtime=1_600_000_000, mode=0o644)
    second = build(tmp_path / "a longer name", tmp_path / "second", mtime=1_700_000_123, mode=0o664)
    assert len(first) == 2
    assert first == second


def test_sbom_lists_all_dependencies_with_pinned_versions(tmp_path: Path) -> None:
    result = subprocess.run(
        ["make", "release", f"DIST={tmp_path}", f"BIN={Path(sys.executable).parent}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    [sbom_file] = tmp_path.glob("*.cdx.json")
    sbom = json.loads(sbom_file.read_text())
    components = {component["name"]: component["version"] for component in sbom["components"]}
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    assert {"pyyaml", "pydantic", "kubernetes", "mlflow", "fastapi"} <= set(components)
    assert "pytest" not in components
    assert {name: pinned[name] for name in components} == components
    assert sbom["metadata"]["component"]["name"] == "odahu-argo"
    checksums = (tmp_path / "SHA256SUMS").read_text()
    files = {file.name for file in tmp_path.iterdir() if file.name != "SHA256SUMS"}
    assert {line.split()[1] for line in checksums.splitlines()} == files
