"""Selection of files, context, cluster and user, and errors of broken kubeconfig files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from odahu_argo.errors import OdahuArgoError, Unreachable, UserError
from odahu_argo.kube import config as kube_config
from odahu_argo.kube.client import connect
from odahu_argo.kube.cluster import POD
from tests.servers.programs import free_port
from tests.servers.scripted import Answer, answering
from tests.servers.tls import server_context

TOKEN = "canary-of-a-token"
Write = Callable[..., Path]


def config(server: str = "http://127.0.0.1:1", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "someone", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "one", "user": "someone"}},
            {"name": "there", "context": {"cluster": "one", "user": "someone", "namespace": "ml"}},
        ],
        **changes,
    }


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write kubeconfig files, each in its own directory, and set KUBECONFIG to all of them."""

    def write(*contents: dict[str, Any] | str) -> Path:
        files = []
        for number, content in enumerate(contents):
            file = tmp_path / str(number) / "config"
            file.parent.mkdir()
            file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
            files.append(file)
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
        return files[0]

    return write


def failure(context: str | None = None) -> OdahuArgoError:
    with pytest.raises(OdahuArgoError) as raised:
        connect(context=context).get(POD, "any")
    assert TOKEN not in str(raised.value)
    return raised.value


def test_namespace_defaults_to_the_context_and_then_to_default(kubeconfig: Write) -> None:
    kubeconfig(config())
    assert connect().namespace == "default"
    assert connect(context="there").namespace == "ml"
    assert connect("mine", context="there").namespace == "mine"


def test_reads_the_file_in_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    (tmp_path / "home/.kube/config").write_text(yaml.safe_dump(config("http://127.0.0.1:2")))
    assert connect().server == "http://127.0.0.1:2"


def test_first_file_wins(kubeconfig: Write) -> None:
    first = config("http://127.0.0.1:3", **{"current-context": "there"})
    kubeconfig(first, config("http://127.0.0.1:4"))
    assert (connect().server, connect().namespace) == ("http://127.0.0.1:3", "ml")


def test_merges_files_and_resolves_paths_from_the_file_of_the_entry(kubeconfig: Write) -> None:
    contexts = {"current-context": "here", "contexts": config()["contexts"]}
    with answering(Answer(200, {"metadata": {}})) as server:
        users = {"users": [{"name": "someone", "user": {"tokenFile": "token"}}]}
        first = kubeconfig(contexts, {"clusters": config(server.address)["clusters"]}, users)
        (first.parent.parent / "2/token").write_text("from-file\n")
        connect().get(POD, "any")
    assert server.authorizations == ["Bearer from-file"]


def test_skips_missing_and_empty_files(kubeconfig: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kubeconfig(config("http://127.0.0.1:2"))
    (tmp_path / "empty").touch()
    monkeypatch.setenv("KUBECONFIG", f"/missing:{tmp_path / 'empty'}:{file}")
    assert connect().server == "http://127.0.0.1:2"


def test_reports_that_no_kubeconfig_exists() -> None:
    error = failure()
    assert isinstance(error, UserError)
    assert "no cluster is configured" in str(error)
    assert "KUBECONFIG" in str(error)


def test_reports_a_missing_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/missing")
    assert "kubeconfig /missing does not exist" in str(failure())


def test_reports_an_unknown_context_with_the_available_ones(kubeconfig: Write) -> None:
    kubeconfig(config())
    assert "context prod does not exist" in str(failure("prod"))
    assert "has here, there" in str(failure("prod"))


def test_reports_that_no_context_is_selected(kubeconfig: Write) -> None:
    kubeconfig(config(**{"current-context": ""}))
    assert "no context is selected" in str(failure())


def user(**fields: Any) -> dict[str, Any]:
    return config("https://127.0.0.1:1", users=[{"name": "someone", "user": fields}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"users: [{{user: {TOKEN}", "0/config:1: invalid YAML"),
        (f"- {TOKEN}", "is not a valid kubeconfig"),
        (config(clusters=[{"name": "one", "cluster": {}}]), "it has no cluster with a server"),
        (config(clusters=TOKEN), "is not a valid kubeconfig"),
        (config(users=[{"name": "someone", "token": TOKEN}]), "user someone does not exist"),
        (user(token=f"{TOKEN}\nX: y"), "the token of context here of"),
        (user(**{"token": TOKEN, "client-certificate": "/missing"}), "File does not exist: /missing"),
        (user(**{"client-certificate-data": TOKEN[:-1]}), "invalid credentials or certificates"),
        (user(**{"client-certificate-data": "eA==", "client-key-data": "eA=="}), "certificate or key cannot be loaded"),
        (user(**{"client-certificate-data": "eA=="}), "certificate or key cannot be loaded"),
        (user(**{"auth-provider": {"name": "azure", "config": {"access-token": TOKEN}}}), "auth-provider"),
        (user(**{"auth-provider": {"name": "oidc", "config": {"refresh-token": TOKEN}}}), "invalid credentials"),
        (user(**{"as-groups": ["ml"]}), "require `as`"),
        (user(**{"as": "ci\nbot"}), "the Impersonate-User header cannot contain"),
    ],
    ids=[
        "yaml",
        "list",
        "no-server",
        "clusters-text",
        "no-user",
        "token-line-break",
        "missing-file",
        "base64",
        "no-certificate",
        "no-key",
        "provider",
        "incomplete-provider",
        "groups-only",
        "user-line-break",
    ],
)
def test_reports_a_broken_kubeconfig_without_its_secrets(kubeconfig: Write, content: Any, message: str) -> None:
    kubeconfig(content)
    assert message in str(failure())


def test_reports_a_refused_connection(kubeconfig: Write) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    kubeconfig(config(server))
    error = failure()
    assert isinstance(error, Unreachable)
    assert f"no response from {server}: connection refused" in str(error)


def test_reports_an_unknown_host(kubeconfig: Write) -> None:
    kubeconfig(config("https://kubernetes.invalid"))
    assert "no response from https://kubernetes.invalid: unknown host name" in str(failure())


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "namespace").write_text("ml\n")
    (tmp_path / "token").write_text("first\n")
    monkeypatch.setattr(kube_config, "SERVICE_ACCOUNT", tmp_path)
    return tmp_path


def test_uses_the_service_account_of_the_pod(service_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(service_account / "ca.crt")
    ok, rejected = Answer(200, {"metadata": {}}), Answer(401, {"kind": "Status", "code": 401})
    with answering(ok, rejected, ok, tls=server_context(ca, "127.0.0.1")) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.address.rpartition(":")[2])
        cluster = connect()
        cluster.get(POD, "any")
        (service_account / "token").write_text("second")
        cluster.get(POD, "any")
    assert cluster.namespace == "ml"
    assert [value.removeprefix("bearer ") for value in server.authorizations if value] == ["first", "first", "second"]


def test_reports_an_incomplete_service_account(service_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert "the pod's service account cannot be used" in str(failure())
