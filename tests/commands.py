"""The command line as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str


def odahu_argo(*arguments: object, stdin: str | None = None, **options: object) -> CommandResult:
    command = [sys.executable, "-m", "odahu_argo", *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", input=stdin, **options)
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


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
    """A command that runs in the background."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "odahu_argo", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.text = ""
        self._changed = threading.Condition()
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
        with self._changed:
            is_complete: Callable[[], bool] = lambda: text in self.text or self.process.poll() is not None  # noqa: E731
            self._changed.wait_for(is_complete, timeout=60)
            assert text in self.text, self.text

    def end(self) -> int:
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=30)
        return code

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._changed:
                self.text += line
                self._changed.notify_all()
