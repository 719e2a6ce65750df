"""Completion in a real bash."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.cli.completion import Shell
from tests.commands import bash_completions, odahu_argo


def test_bash_completes_commands_and_options() -> None:
    assert bash_completions("comp") == (["compile", "completion"], "")
    offered, _ = bash_completions("train", "get", "--i")
    assert offered == ["--id"]


def test_failed_completion_prints_nothing(tmp_path: Path) -> None:
    away = tmp_path / "kubeconfig"
    for text in ("no kubeconfig", '{"clusters": [{"name": "a", "cluster": {"server": "http://192.0.2.1"}}]}'):
        away.write_text(text, encoding="utf-8")
        for group in ("train", "conn", "ti"):
            assert bash_completions(group, "get", "--id", "", KUBECONFIG=str(away)) == ([], "")
    assert bash_completions("local", "train", "get", "--id", "", ODAHU_ARGO_HOME=str(tmp_path / "none")) == ([], "")


@pytest.mark.parametrize("shell", Shell)
def test_prints_script_for_each_shell(shell: Shell) -> None:
    ran = odahu_argo("completion", shell)
    assert ran.code == 0 and "_ODAHU_ARGO_COMPLETE" in ran.out


def test_rejects_unknown_shell() -> None:
    ran = odahu_argo("completion", "tcsh")
    assert ran.code == 2 and "bash" in ran.err
