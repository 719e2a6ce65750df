"""A FAKE of odahu_argo.steps: keeps the step contract, and does what the JSON in $FAKE_STEPS says instead of any work.

$FAKE_STEPS maps `train`, or `download-<connection>`, to a list of verbs. Each step notes when it began and ended
in $FAKE_TRACE.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

RESULTS = {"checkout": "commit-id", "train": "run-id", "package": "artifact-name"}
SLEEP = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
MESSAGE = Path(os.environ["ODAHU_ARGO_MESSAGE"])
WORKSPACE = Path(os.environ["ODAHU_ARGO_WORKSPACE"])


def trace(what: str) -> None:
    with Path(os.environ["FAKE_TRACE"]).open("a") as stream:
        stream.write(f"{what} {name} {time.time()}\n")


def do(verb: str, rest: str) -> None:
    if verb == "sleep":
        time.sleep(float(rest))
    elif verb == "write":
        sys.stdout.buffer.write(rest.encode("latin-1"))
        sys.stdout.buffer.flush()
    elif verb == "progress":
        Path(os.environ["ARGO_PROGRESS_FILE"]).write_text(rest)
    elif verb == "grandchild":
        start = f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}, {rest!r}], start_new_session=True)"
        code = f"import subprocess, sys; p = {start}"
        subprocess.run([sys.executable, "-c", code], check=True)
    elif verb == "show":
        folder = Path(os.environ["ODAHU_ARGO_CONNECTIONS"])
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            print(oct(file.parent.stat().st_mode)[-3:], oct(file.stat().st_mode)[-3:], file.relative_to(folder))
            Path(os.environ["FAKE_TRACE"]).with_name(f"seen-{name}-{file.name}").write_text(file.read_text())
        print("secrets:", *(file.read_text() for file in folder.rglob("keySecret")))
    elif verb == "fill":
        with suppress(OSError), (WORKSPACE / "filling").open("wb", buffering=0) as stream:
            while stream.write(bytes(4096)):
                pass
    elif verb == "fail":
        code, _, message = rest.partition(" ")
        MESSAGE.write_text(message)
        sys.exit(int(code))
    elif verb == "once":
        marker = WORKSPACE / f"once-{name}"
        if not marker.exists():
            marker.touch()
            do(*rest.split(" ", 1))


kind = sys.argv[1]
spec = json.loads(os.environ["ODAHU_ARGO_STEP"])
name = f"download-{spec['connection']}" if kind == "download" else kind
trace("began")
for line in json.loads(os.environ.get("FAKE_STEPS", "{}")).get(name, []):
    do(*line.split(" ", 1) if " " in line else (line, ""))
if kind in RESULTS:
    (WORKSPACE / "results").mkdir(exist_ok=True)
    (WORKSPACE / "results" / RESULTS[kind]).write_text(f"the-{RESULTS[kind]}")
trace("ended")
