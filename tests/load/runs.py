"""Local trainings with fake steps that run at the same time."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from odahu_argo.local.home import Home
from tests.local_engine import CONNECTIONS, FAKE_STEPS
from tests.manifests import training, write


async def run_trainings(home: Home, folder: Path, count: int) -> list[str]:
    """Run each training in its own process, and return the output of failed ones."""
    (folder / "tmp").mkdir()
    manifests = [{**training(data=[{"connName": "a", "localPath": "data/"}]), "id": f"run-{n}"} for n in range(count)]
    file = write(folder, *manifests, connections=CONNECTIONS)
    environment = os.environ | home.environment
    environment |= {"TMPDIR": str(folder / "tmp"), "FAKE_TRACE": str(folder / "trace")}
    environment["PYTHONPATH"] = os.pathsep.join([str(FAKE_STEPS), str(Path.cwd())])
    results = await asyncio.gather(*(_run(str(manifest["id"]), file, environment) for manifest in manifests))
    return [output for output in results if output]


async def _run(training_id: str, file: Path, environment: dict[str, str]) -> str:
    """Return the output of a run if it fails, else an empty text."""
    arguments = ("local", "train", "run", "-f", str(file), "--id", training_id)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(FAKE_STEPS / "command_line.py"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    output, _ = await process.communicate()
    return "" if process.returncode == 0 else output.decode("utf-8", "replace")
