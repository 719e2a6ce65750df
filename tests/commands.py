"""The command line as a process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import forked_command

_FORK_SERVER = multiprocessing.get_context("forkserver")
_FORK_SERVER.set_forkserver_preload([forked_command.__name__])


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str


def odahu_argo(
    *arguments: object,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    timeout: float | None = None,
) -> CommandResult:
    """Run a command in a process of its own.

    The process is forked from one that has imported the command line, which takes a tenth of the time of a new interpreter.
    """
    with TemporaryDirectory() as folder:
        files = tuple(Path(folder, name) for name in ("stdin", "stdout", "stderr"))
        files[0].write_text(stdin or "", encoding="utf-8")
        environment = dict(os.environ if env is None else env)
        settings = ([str(argument) for argument in arguments], environment, str(cwd or Path.cwd()), files)
        process = _FORK_SERVER.Process(target=forked_command.run, args=settings)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(settings[0], timeout or 0)
        out, err = (file.read_text(encoding="utf-8") for file in files[1:])
        return CommandResult(process.exitcode, out, err)


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
