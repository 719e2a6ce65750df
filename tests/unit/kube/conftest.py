"""Kubeconfig files of the tests, and no kubeconfig, proxy or service account from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.kube.client import KubeCluster, connect
from tests.servers.scripted import Scripted

Connect = Callable[..., KubeCluster]


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of the kubeconfig that `connected` writes."""
    (tmp_path / "kube").mkdir()
    return tmp_path / "kube"


@pytest.fixture
def connected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Connect by a kubeconfig with a user and fields of the cluster; the namespace is `ml`."""

    def connect_to(server: Scripted | str, user: dict[str, Any] | None = None, **cluster: Any) -> KubeCluster:
        address = server if isinstance(server, str) else server.address
        config = {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "one", "user": "someone", "namespace": "ml"}}],
            "clusters": [{"name": "one", "cluster": {"server": address, **cluster}}],
            "users": [{"name": "someone", "user": user or {}}],
        }
        (folder / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(folder / "config"))
        return connect()

    return connect_to
