"""Fixtures and options for all tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from odahu_argo.local.home import Home
from odahu_argo.local.tracking import prepare_tracking

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
LONG_TESTS = ("e2e", "faults", "jupyter", "page")
"""Directories with tests that take up to two minutes."""


@dataclass(frozen=True)
class Example:
    """A directory under examples/ with the arguments that its README uses."""

    folder: Path

    @property
    def arguments(self) -> list[str]:
        manifests = sorted(p for p in self.folder.glob("*.yaml") if p.name != "profile.yaml")
        arguments = [part for manifest in manifests for part in ("-f", str(manifest))]
        profile = self.folder / "profile.yaml"
        return [*arguments, "--profile", str(profile)] if profile.exists() else arguments


def examples() -> list[Example]:
    return [Example(folder) for folder in sorted(EXAMPLES.iterdir()) if (folder / "training.yaml").exists()]


def pytest_configure() -> None:
    """Let Hypothesis take any time, and restore signals that shells (SIGINT) or nohup (SIGHUP) ignore for background jobs."""
    settings.register_profile("any-time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any-time")
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="Replace the golden files with the current output.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start each half of the tests with long ones, so that neither of two processes ends with one while the other is idle.

    xdist's `worksteal` gives each process a half.
    """
    long, short = [], []
    for item in items:
        (long if item.path.relative_to(ROOT).parts[1] in LONG_TESTS else short).append(item)
    half, middle = len(long) // 2, len(short) // 2
    items[:] = [*long[:half], *short[:middle], *long[half:], *short[middle:]]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run tests that may kill the API server exclusively; other cluster tests share it, also across processes.

    xdist's groups would do, but they have no effect with pytest 9.2 (pytest-dev/pytest-xdist#1386).
    """
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig or not (item.get_closest_marker("cluster") or item.get_closest_marker("argo")):
        return (yield)
    is_alone = "api_server" in getattr(item, "fixturenames", ())
    with Path(kubeconfig).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        return (yield)


@pytest.fixture(params=examples(), ids=lambda example: example.folder.name)
def example(request: pytest.FixtureRequest) -> Example:
    return request.param


@pytest.fixture(scope="session", autouse=True)
def _state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tokens of servers that tests start out of the user's home directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _environment_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROFILE", "API_URL", "API_TOKEN"):
        monkeypatch.delenv(f"ODAHU_ARGO_{name}", raising=False)


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of the local engine with MLflow's tables. Tests must not change it.

    MLflow needs seconds to create the tables, so they are created once for all test processes and then copied.
    """
    folder = tmp_path_factory.getbasetemp()
    home = Home((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "prepared-home")
    home.create()
    prepare_tracking(home)
    return home


@pytest.fixture(scope="session")
def prepare_home(prepared_home: Home) -> Callable[[Path], Home]:
    """Return a function that creates a home of the local engine with MLflow's tables."""

    def prepare(root: Path) -> Home:
        home = Home(root)
        home.create()
        shutil.copy(prepared_home.tracking_file, home.tracking_file)
        shutil.copy(prepared_home.tracking_version_file, home.tracking_version_file)
        return home

    return prepare
