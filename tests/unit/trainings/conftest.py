from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.plan.model import Plan
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import plan


@pytest.fixture
def cluster() -> InMemoryCluster:
    return InMemoryCluster("ml")


@pytest.fixture
def wine(tmp_path: Path) -> Plan:
    return plan(tmp_path)
