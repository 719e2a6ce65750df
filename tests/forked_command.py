"""Entry point of commands that tests run by forking a process that has imported this module."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from odahu_argo import __main__
from odahu_argo.cli.app import COMMANDS
from odahu_argo.compile.schema import schema_errors

for _command in COMMANDS.values():
    import_module(f"odahu_argo.cli.{_command.target.partition(':')[0]}")
for _module in (
    "backends.kubernetes",
    "backends.local",
    "backends.remote",
    "compile.emit",
    "gitops.diff",
    "kube.client",
):
    import_module(f"odahu_argo.{_module}")
schema_errors({"kind": "Workflow", "metadata": {}, "spec": {}})  # imports hera and builds its models' validators


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: str, files: tuple[Path, Path, Path]) -> None:
    """Run the command line in this process, with standard input from and standard output and error to `files`."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, file in enumerate(files):
        opened = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for descriptor, mode in enumerate(("r", "w", "w"))
    )
    sys.argv = ["odahu-argo", *arguments]
    __main__.main()
