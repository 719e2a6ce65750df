"""Completion in a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from odahu_argo.cli.completion import Shell
from tests.commands import odahu_argo


def completed(*words: str, **environment: str) -> tuple[list[str], str]:
    """What bash offers for the last word, and what was said meanwhile."""
    line = " ".join(f"'{word}'" for word in ("odahu-argo", *words))
    script = f"""
        source <(odahu-argo completion bash)
        COMP_WORDS=({line}); COMP_CWORD={len(words)}
        _odahu_argo_completion odahu-argo
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, **environment}
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=variables)
    assert ended.returncode == 0
    return ended.stdout.split(), ended.stderr


def test_bash_completes_commands_and_options() -> None:
    assert completed("comp") == (["compile", "completion"], "")
    offered, _ = completed("train", "get", "--i")
    assert offered == ["--id"]


def test_what_cannot_be_asked_completes_to_nothing_and_says_nothing(tmp_path: Path) -> None:
    away = tmp_path / "kubeconfig"
    for text in ("no kubeconfig", '{"clusters": [{"name": "a", "cluster": {"server": "http://192.0.2.1"}}]}'):
        away.write_text(text, encoding="utf-8")
        for group in ("train", "conn", "ti"):
            assert completed(group, "get", "--id", "", KUBECONFIG=str(away)) == ([], "")
    assert completed("local", "train", "get", "--id", "", ODAHU_ARGO_HOME=str(tmp_path / "none")) == ([], "")


@pytest.mark.parametrize("shell", Shell)
def test_each_shell_has_its_code(shell: Shell) -> None:
    ran = odahu_argo("completion", shell)
    assert ran.code == 0 and "_ODAHU_ARGO_COMPLETE" in ran.out


def test_a_shell_that_is_not_known_is_told() -> None:
    ran = odahu_argo("completion", "tcsh")
    assert ran.code == 2 and "bash" in ran.err
