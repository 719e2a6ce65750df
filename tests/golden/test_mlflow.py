"""What `setup mlflow` prints for three files of values, and the schema of the chart's, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.install.mlflow_manifests import SCHEMA, mlflow_text, schema_text
from odahu_argo.install.mlflow_values import load
from odahu_argo.profile import Profile
from tests.conftest import ROOT

GOLDENS = Path(__file__).parent / "mlflow"
FILES = sorted(GOLDENS.glob("*.values.yaml"))


def held_against(file: Path, text: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-goldens"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_the_server_is_printed_as_it_was(file: Path, request: pytest.FixtureRequest) -> None:
    golden = file.with_name(file.name.replace(".values", ""))
    held_against(golden, mlflow_text(load(file, Profile()), "ml"), request)


def test_the_schema_of_the_chart_is_that_of_the_values(request: pytest.FixtureRequest) -> None:
    held_against(ROOT / "templates" / "chart" / SCHEMA, schema_text(), request)
