from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import odahu_argo


def test_every_exported_name_is_there_and_the_list_is_sorted() -> None:
    assert odahu_argo.__all__ == sorted(odahu_argo.__all__)
    for name in odahu_argo.__all__:
        assert getattr(odahu_argo, name)
    with pytest.raises(AttributeError):
        odahu_argo.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    code = "import sys, odahu_argo; sys.exit(str([m for m in sys.modules if m.startswith('odahu_argo.')] or ''))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr.strip() == ""


def test_the_version_is_the_packages() -> None:
    assert odahu_argo.__version__ == importlib.metadata.version("odahu-argo")


def test_no_module_grows_beyond_what_one_reads_at_a_sitting() -> None:
    package = Path(odahu_argo.__file__).parent
    lengths = {str(p.relative_to(package)): len(p.read_text().splitlines()) for p in package.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
