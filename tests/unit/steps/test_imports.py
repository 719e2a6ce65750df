"""Steps run in an image without a Kubernetes client."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """\
import importlib, sys
sys.modules["kubernetes"] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("rich", "typer", "hera")))
"""


def test_steps_need_no_kubernetes_client() -> None:
    files = [file for package in ("steps", "storage") for file in (ROOT / "odahu_argo" / package).rglob("*.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    modules = sorted(
        name for name in names if not name.endswith(("__init__", "__main__", "model_entrypoint", "mlflow.app"))
    )
    assert len(modules) > 20
    result = subprocess.run([sys.executable, "-c", SCRIPT, *modules], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr
