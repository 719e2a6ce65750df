from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import odahu_argo


def test_exports_resolve_and_are_sorted() -> None:
    assert odahu_argo.__all__ == sorted(odahu_argo.__all__)
    for name in odahu_argo.__all__:
        assert getattr(odahu_argo, name)
    with pytest.raises(AttributeError):
        odahu_argo.nothing  # noqa: B018


def test_import_loads_no_submodules() -> None:
    code = "import sys, odahu_argo; sys.exit(str([m for m in sys.modules if m.startswith('odahu_argo.')] or ''))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr.strip() == ""


def test_version_equals_package_metadata() -> None:
    assert odahu_argo.__version__ == importlib.metadata.version("odahu-argo")


def test_modules_have_at_most_400_lines() -> None:
    package = Path(odahu_argo.__file__).parent
    lengths = {str(p.relative_to(package)): len(p.read_text().splitlines()) for p in package.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_class_names_are_unique() -> None:
    sources = [path.read_text() for path in Path(odahu_argo.__file__).parent.rglob("*.py")]
    names = Counter(name for source in sources for name in re.findall(r"^class (\w+)", source, re.MULTILINE))
    assert [name for name, count in names.items() if count > 1] == []
