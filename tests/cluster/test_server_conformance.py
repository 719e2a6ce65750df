"""Every route on a real Kubernetes API, in the order create, get, change, delete.

Logs are excluded: following the log of a training without a controller never ends.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.site import Site
from tests.servers.api import serving
from tests.servers.schemathesis import require_conformance

pytestmark = pytest.mark.cluster
TOKEN = "0123456789abcdef"


def test_conforms_to_openapi_document(site: Site, tmp_path: Path) -> None:
    for name in ("token", "decrypt"):
        (tmp_path / name).write_text(f"{name}-{TOKEN}")
    files = ("--token-file", tmp_path / "token", "--decrypt-token-file", tmp_path / "decrypt")
    with serving("-n", site.namespace, *files) as address:
        options = ("--phases", "examples,fuzzing,stateful", "-n", 5, "--exclude-path-regex", "/log$")
        require_conformance(address, f"decrypt-{TOKEN}", tmp_path, 18, *options)
