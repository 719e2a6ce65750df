"""`local train run` of a training that an API server has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from odahu_argo.backends.kubernetes import KubernetesBackend
from odahu_argo.preflight import checks
from odahu_argo.profile import Profile
from tests.fakes.cluster import InMemoryCluster
from tests.local_engine import CONNECTIONS, LocalEngine, engine
from tests.manifests import training
from tests.servers.api import ApiClient

__all__ = ["engine"]


@pytest.fixture
def server(serve: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    """A server with the training `wine` and the toolchain `program`, and another training that uses it."""
    monkeypatch.setattr(checks, "check", lambda *_: ())
    client = serve(KubernetesBackend(InMemoryCluster("ml"), Profile(external_connections=("code", "models-output"))))
    toolchain = {"id": "program", "spec": {"entrypoint": "/usr/local/bin/program", "defaultImage": "program:1"}}
    assert client.post("/api/v1/toolchain/integration", json=toolchain).ok
    for training_id, toolchain_id in (("wine", "mlflow"), ("ale", "program")):
        manifest = {**training(data=None, toolchain=toolchain_id), "id": training_id}
        assert client.post("/api/v1/model/training", json=manifest).ok
    return client


def test_runs_training_of_server_in_place(
    engine: LocalEngine, server: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODAHU_ARGO_API_TOKEN", str(server.token))
    for training_id in ("wine", "ale"):
        run = engine.command("--url", server.url, "run", "--id", training_id, "--here")
        assert run.code == 0, run.err
    assert engine.started_steps() == ["train", "package"] * 2


def test_files_take_precedence_over_saved_server(engine: LocalEngine, server: ApiClient) -> None:
    run = engine.command("run", "--url", server.url, "--id", "wine", "-f", engine.manifest(CONNECTIONS))
    assert run.code == 0, run.err
    assert len(engine.started_steps()) == 5, "the manifest has two downloads"


def test_training_that_exists_nowhere_is_user_error(
    engine: LocalEngine, server: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = engine.command("run", "--url", server.url, "--id", "cider", "-f", engine.manifest())
    assert (denied.code, "denies access" in denied.err) == (2, True)
    monkeypatch.setenv("ODAHU_ARGO_API_TOKEN", str(server.token))
    missing = engine.command("run", "--url", server.url, "--id", "cider", "-f", engine.manifest())
    assert missing.code == 2
    assert f"training 'cider' is neither in the files nor at {server.url}" in missing.err
    assert engine.started_steps() == []


def test_toolchain_of_server_is_used_for_training_in_file(
    engine: LocalEngine, server: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODAHU_ARGO_API_TOKEN", str(server.token))
    manifest = engine.manifest(toolchain="program")
    assert "toolchain 'program'" in engine.command("run", "--id", "wine", "--here", "-f", manifest).err
    run = engine.command("run", "--url", server.url, "--id", "wine", "--here", "-f", manifest)
    assert run.code == 0, run.err


def test_problems_of_other_manifests_do_not_hide_training_of_server(
    engine: LocalEngine, server: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODAHU_ARGO_API_TOKEN", str(server.token))
    file = engine.manifest(
        "kind: ToolchainIntegration\nid: other\nspec: {entrypoint: run, defaultImage: 'image:<tag>'}\n"
    )
    run = engine.command("run", "--url", server.url, "--id", "ale", "-f", file, "--here")
    assert run.code == 0, run.err
    assert engine.started_steps() == ["train", "package"]
