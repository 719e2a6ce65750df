"""FAKE of odahu_argo.steps: implements the step contract and performs the actions in `FAKE_STEPS` instead of work.

`FAKE_STEPS` is a JSON object from step name (`train`, `download-<connection>`) to a list of actions. Each step appends its
start and end to the file `FAKE_TRACE`.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

RESULTS = {"checkout": "commit-id", "train": "run-id", "package": "artifact-name"}
IGNORE_SIGTERM = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
MESSAGE = Path(os.environ["ODAHU_ARGO_MESSAGE"])
WORKSPACE = Path(os.environ["ODAHU_ARGO_WORKSPACE"])


def trace(event: str) -> None:
    with Path(os.environ["FAKE_TRACE"]).open("a") as stream:
        stream.write(f"{event} {name} {time.time()}\n")


def perform(action: str, argument: str) -> None:
    if action == "sleep":
        time.sleep(float(argument))
    elif action == "write":
        sys.stdout.buffer.write(argument.encode("latin-1"))
        sys.stdout.buffer.flush()
    elif action == "progress":
        Path(os.environ["ARGO_PROGRESS_FILE"]).write_text(argument)
    elif action == "grandchild":
        start = f"subprocess.Popen([sys.executable, '-c', {IGNORE_SIGTERM!r}, {argument!r}], start_new_session=True)"
        subprocess.run([sys.executable, "-c", f"import subprocess, sys; process = {start}"], check=True)
    elif action == "show-connections":
        folder = Path(os.environ["ODAHU_ARGO_CONNECTIONS"])
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            print(oct(file.parent.stat().st_mode)[-3:], oct(file.stat().st_mode)[-3:], file.relative_to(folder))
            Path(os.environ["FAKE_TRACE"]).with_name(f"field-{name}-{file.name}").write_text(file.read_text())
        print("secrets:", *(file.read_text() for file in folder.rglob("keySecret")))
    elif action == "fill-disk":
        with suppress(OSError), (WORKSPACE / "filler").open("wb", buffering=0) as stream:
            while stream.write(bytes(4096)):
                pass
    elif action == "fail":
        code, _, message = argument.partition(" ")
        MESSAGE.write_text(message)
        sys.exit(int(code))
    elif action == "once":
        marker = WORKSPACE / f"once-{name}"
        if not marker.exists():
            marker.touch()
            perform(*argument.split(" ", 1))
    else:
        sys.exit(f"unknown action {action}")


kind = sys.argv[1]
spec = json.loads(os.environ["ODAHU_ARGO_STEP"])
name = f"download-{spec['connection']}" if kind == "download" else kind
trace("started")
for line in json.loads(os.environ.get("FAKE_STEPS", "{}")).get(name, []):
    perform(*line.split(" ", 1) if " " in line else (line, ""))
if kind in RESULTS:
    (WORKSPACE / "results").mkdir(exist_ok=True)
    (WORKSPACE / "results" / RESULTS[kind]).write_text(f"the-{RESULTS[kind]}")
trace("ended")
