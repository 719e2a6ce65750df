"""A stand-in for conda and micromamba, because no package index provides them.

It knows the commands that odahu-argo runs. Its output and exit codes are those of conda 26.7.1 with the classic solver and a
local channel. Instead of installing packages it creates an environment whose Python is this one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

MISSING_PACKAGES = """\
Collecting package metadata (current_repodata.json): ...working... done
Solving environment: ...working... unsuccessful attempt using repodata from current_repodata.json, retrying with next repodata source.
Collecting package metadata (repodata.json): ...working... done
Solving environment: ...working... failed

PackagesNotFoundInChannelsError: The following packages are not available from current channels:

  - absent=1.2

Current channels:

  - https://conda.example.org/conda-forge/linux-64
  - https://conda.example.org/conda-forge/noarch

To search for alternate channels that may provide the conda package you're
looking for, navigate to

    https://anaconda.org

and use the search bar at the top of the page.

"""  # noqa: E501
CONFLICT = """\
Solving environment: ...working...
Found conflicts! Looking for incompatible packages.
This can take several minutes.  Press CTRL-C to abort.

Examining conflict for numpy scikit-learn pandas:  10%|█         | 1/10 [00:00<00:00, 1970.08it/s]
failed

UnsatisfiableError: Conda could not find a compatible set of packages to satisfy the requested specifications.

Cause: Some requested packages have conflicting version constraints
Next steps:
  - (review_conflicting_specs) Review the conflicting specifications above and adjust version ranges or package names.
  - (check_pinned_packages) Check for pinned packages:
      conda config --show pinned_packages
  - (update_conda) Update conda and try again:
      conda update conda

"""
FAILED_PIP = """\
Executing transaction: ...working... done
Installing pip dependencies: ...working... Pip subprocess error:
ERROR: Could not find a version that satisfies the requirement iniconfig==99 (from versions: 0.1, 2.3.0, 2.3.1)
ERROR: No matching distribution found for iniconfig==99

failed

CondaEnvException: Pip failed

"""
NO_NETWORK = """\
Collecting package metadata (current_repodata.json): ...working... failed

CondaHTTPError: HTTP 000 CONNECTION FAILED for url <http://conda.example.org/linux-64/current_repodata.json>
Elapsed: -

An HTTP error occurred when trying to retrieve this URL.
HTTP errors are often intermittent, and a simple retry will get you on your way.
'http//user:s3cret@conda.example.org/linux-64'

"""
_PROGRAM = """\
#!/bin/sh
echo "$@" >> "{folder}/calls"
command=$1
case "$1 $2" in
  "env create"|"env update"|"create --yes") ;;
  "run --name"|"run --prefix") ;;
  *) echo "conda: error: unknown arguments: $*" >&2; exit 2 ;;
esac
if [ "$command" = run ]; then
  if [ "$2" = --name ] && [ "$3" != cache ]; then
    echo >&2; echo "EnvironmentLocationNotFound: Not a conda environment: {folder}/envs/$3" >&2; exit 1
  fi
  shift 3
  PATH="{folder}/env:$PATH" CONDA_DEFAULT_ENV=cache exec "$@"
fi
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix) prefix=$2; shift ;;
    --file) cp "$2" "{folder}/conda.yaml"; shift ;;
  esac
  shift
done
if [ -f "{folder}/failure" ]; then cat "{folder}/failure" >&2; exit 1; fi
if [ -n "$prefix" ]; then mkdir -p "$prefix/bin"; cp "{folder}/env/python" "$prefix/bin/python"; fi
"""
_PYTHON = """\
#!/bin/sh
echo "$CONDA_DEFAULT_ENV" >> "{folder}/python"
exec {python} "$@"
"""


@dataclass(frozen=True)
class Conda:
    """The stand-in in `folder`, with the existing environment `cache`."""

    folder: Path

    @property
    def calls(self) -> list[str]:
        """Arguments of each call."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def environments(self) -> set[str]:
        """`CONDA_DEFAULT_ENV` of each start of an environment's Python."""
        return set((self.folder / "python").read_text().splitlines())

    @property
    def file(self) -> str:
        """Environment file of the last call."""
        return (self.folder / "conda.yaml").read_text()

    def fail(self, output: str) -> None:
        """Let commands that install packages fail with this output."""
        (self.folder / "failure").write_text(output)


def install_conda(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "conda") -> Conda:
    """Make the stand-in the only conda program on PATH, below the name of a conda program."""
    (folder / "env").mkdir(parents=True)
    programs = {
        name: _PROGRAM.format(folder=folder),
        "env/python": _PYTHON.format(folder=folder, python=sys.executable),
    }
    for path, text in programs.items():
        (folder / path).write_text(text)
        (folder / path).chmod(0o755)
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Conda(folder)


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Conda:
    return install_conda(tmp_path / "conda", monkeypatch)


@pytest.fixture
def named_environment(conda: Conda, monkeypatch: pytest.MonkeyPatch) -> Conda:
    """The stand-in in an image like ODAHU's dependency-cache image, whose environment is `cache`."""
    monkeypatch.setenv("ODAHU_CONDA_ENV_NAME", "cache")
    return conda
