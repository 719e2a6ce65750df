"""The command line as a user has it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def odahu_argo(*arguments: object, stdin: str | None = None, **options: object) -> Ran:
    command = [sys.executable, "-m", "odahu_argo", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", input=stdin, **options)
    return Ran(ended.returncode, ended.stdout, ended.stderr)


def bash_completions(*words: str, **environment: str) -> tuple[list[str], str]:
    """Return the completions that bash offers for the last word, and the text on stderr."""
    line = " ".join(f"'{word}'" for word in ("odahu-argo", *words))
    script = f"""
        source <(odahu-argo completion bash)
        COMP_WORDS=({line}); COMP_CWORD={len(words)}
        _odahu_argo_completion odahu-argo
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, **environment}
    process = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=variables)
    assert process.returncode == 0
    return process.stdout.split(), process.stderr


class Running:
    """A command that goes on while the test does something else."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "odahu_argo", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.text = ""
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Running:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def wait_for(self, text: str) -> None:
        with self._heard:
            found: Callable[[], bool] = lambda: text in self.text or self.process.poll() is not None  # noqa: E731
            self._heard.wait_for(found, timeout=60)
            assert text in self.text, self.text

    def end(self) -> int:
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=30)
        return code

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._heard:
                self.text += line
                self._heard.notify_all()
