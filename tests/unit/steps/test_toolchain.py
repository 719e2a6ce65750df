"""Toolchains of installed packages: lookup by name, and errors of unusable ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.toolchain import find_toolchain

MODULE = "def train(spec, workspace): ...\ndef fill(content, spec, workspace): ...\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on Python's path for packages."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, package: str, entry_point: str, module: str = MODULE) -> None:
    """Write the files of an installed package with one toolchain, in a module with the package's name."""
    metadata = site / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[odahu_argo.toolchains]\n{entry_point}\n")
    (site / f"{package}.py").write_text(module)


def test_module_as_toolchain(site: Path) -> None:
    install(site, "squares_a", "squares = squares_a")
    assert find_toolchain("squares").train.__module__ == "squares_a"


def test_object_as_toolchain(site: Path) -> None:
    methods = MODULE.replace("def ", "    @staticmethod\n    def ")
    install(site, "squares_b", "squares = squares_b:chain", f"class Chain:\n{methods}chain = Chain()\n")
    assert callable(find_toolchain("squares").fill)


def test_misspelled_name_suggests_toolchain(site: Path) -> None:
    install(site, "squares_c", "least-squares = squares_c")
    with pytest.raises(UserError) as raised:
        find_toolchain("least-square")
    [problem] = raised.value.problems
    assert problem.message == "toolchain 'least-square' is not installed"
    assert problem.hint is not None
    assert problem.hint.startswith("did you mean 'least-squares'? installed: least-squares, mlflow, mlflow-project; ")


@pytest.mark.parametrize(
    ("name", "givers"),
    [("squares", r"squares_d 1\.0 and squares_e 1\.0"), ("mlflow", r"odahu-argo and squares_f 1\.0")],
)
def test_ambiguous_name_lists_packages(site: Path, name: str, givers: str) -> None:
    install(site, "squares_d", "squares = squares_d")
    install(site, "squares_e", "squares = squares_e")
    install(site, "squares_f", "mlflow = squares_f")
    with pytest.raises(UserError, match=f"toolchain '{name}' is provided by {givers}"):
        find_toolchain(name)


@pytest.mark.parametrize(
    ("entry_point", "module", "message"),
    [
        ("squares = squares_g", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("squares = squares_h:chain", MODULE, "AttributeError: module 'squares_h' has no attribute 'chain'"),
        ("squares = squares_i", "1/0", "ZeroDivisionError: division by zero"),
    ],
)
def test_load_failure_names_package(site: Path, entry_point: str, module: str, message: str) -> None:
    package = entry_point.removeprefix("squares = ").partition(":")[0]
    install(site, package, entry_point, module)
    with pytest.raises(UserError) as raised:
        find_toolchain("squares")
    assert f"toolchain 'squares' of {package} 1.0 cannot be loaded: {message}" in str(raised.value)


def test_missing_function_is_user_error(site: Path) -> None:
    install(site, "squares_j", "squares = squares_j", "def train(spec, workspace): ...\nfill = None\n")
    with pytest.raises(UserError, match=r"of squares_j 1\.0 has no function fill"):
        find_toolchain("squares")
