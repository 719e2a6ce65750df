"""Golden files: manifests of `setup mlflow` for three values files, and the chart's schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.install.mlflow_manifests import SCHEMA, server_manifests, values_schema
from odahu_argo.install.mlflow_values import load_values
from odahu_argo.profile import Profile
from tests.conftest import ROOT

GOLDENS = Path(__file__).parent / "mlflow"
FILES = sorted(GOLDENS.glob("*.values.yaml"))


def assert_golden(file: Path, text: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-goldens"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_server_manifests_match_the_golden_file(file: Path, request: pytest.FixtureRequest) -> None:
    golden = file.with_name(file.name.replace(".values", ""))
    assert_golden(golden, server_manifests(load_values(file, Profile()), "ml"), request)


def test_chart_schema_matches_the_models(request: pytest.FixtureRequest) -> None:
    assert_golden(ROOT / "templates" / "chart" / SCHEMA, values_schema(), request)
