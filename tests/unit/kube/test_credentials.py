"""Who asks, and whom is trusted: every form that a kubeconfig has for it, at a server that says what it was asked with."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from odahu_argo.errors import Forbidden, Unauthorized, UserError
from odahu_argo.kube import pod_account
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import POD
from tests.servers.scripted import Answer, Scripted, answering

CANARY = "canary-of-a-secret"
HERE = Answer(200, {"metadata": {"name": "here"}})
REFUSED = Answer(401, {"kind": "Status", "code": 401})
V1 = "client.authentication.k8s.io/v1"
LONG_FROM_NOW = "2999-01-01T00:00:00Z"
Connect = Callable[..., KubeCluster]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A cluster by a kubeconfig in a folder of its own, with this user and these fields beside the server."""

    def make(server: Scripted | str, user: dict[str, Any], **cluster: Any) -> KubeCluster:
        config = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "one", "user": "ada"}}],
            "clusters": [{"name": "one", "cluster": {"server": getattr(server, "address", server), **cluster}}],
            "users": [{"name": "ada", "user": user}],
        }
        file = tmp_path / "kube" / "config"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(file))
        return connect()

    return make


def plugin(folder: Path, code: str, **more: Any) -> dict[str, Any]:
    """A user whose credentials a Python program hands out; `info` is what it is told."""
    program = folder / "login.py"
    program.write_text(f"import json, os, pathlib\ninfo = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n{code}\n")
    call = {"apiVersion": V1, "command": sys.executable, "args": [str(program)], "interactiveMode": "Never"}
    return {"exec": {**call, **more}}


def hand_out(token: str, more: str = "") -> str:
    """The code that prints a credential; `token` and `more` are Python."""
    status = f"{{'token': {token}, {more}}}"
    return f"print(json.dumps({{'apiVersion': info['apiVersion'], 'kind': 'ExecCredential', 'status': {status}}}))"


def counted(folder: Path) -> str:
    """The code that counts how often the program was called, as `n`."""
    file = str(folder / "calls")
    return f"f = pathlib.Path({file!r}); n = len(f.read_text()) + 1 if f.exists() else 1; f.write_text('x' * n)"


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({}, None),
        ({"token": "abc\n"}, "Bearer abc"),
        ({"username": "ada", "password": "love lace "}, basic("ada:love lace ")),
        ({"token": "abc", "username": "ada", "password": "x"}, "Bearer abc"),
        ({"token": 1234}, "Bearer 1234"),
    ],
    ids=["nobody", "token", "basic", "both", "number"],
)
def test_what_a_user_has_is_sent(connected: Connect, user: dict[str, Any], sent: str | None) -> None:
    with answering(HERE) as server:
        connected(server, user).get(POD, "here")
    assert server.authorizations == [sent]


def test_a_user_may_ask_as_somebody_else(connected: Connect) -> None:
    extra = {"Scopes": ["view", "edit"], "acme.org/team": ["ml"]}
    user = {"token": "abc", "as": "ci-bot", "as-uid": 17, "as-groups": ["ml", "devs"], "as-user-extra": extra}
    with answering(HERE) as server:
        connected(server, user).get(POD, "here")
    [asked] = server.headers
    assert [(name, value) for name, value in asked if name.startswith("Impersonate-")] == [
        ("Impersonate-User", "ci-bot"),
        ("Impersonate-Uid", "17"),
        ("Impersonate-Group", "ml"),
        ("Impersonate-Group", "devs"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-acme.org%2Fteam", "ml"),
    ]
    assert server.authorizations == ["Bearer abc"]


@pytest.mark.parametrize(
    ("user", "said"),
    [({"as-groups": ["ml"]}, "but no `as`"), ({"as": "ci\nbot"}, "which no request can carry")],
    ids=["groups-alone", "line-break"],
)
def test_a_wrong_way_to_ask_as_somebody_else_is_told(connected: Connect, user: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        connected("http://127.0.0.1:1", user)


def test_a_token_file_is_read_anew_beside_the_kubeconfig(connected: Connect, tmp_path: Path) -> None:
    (tmp_path / "kube").mkdir()
    file = tmp_path / "kube" / "token"
    file.write_text("first\n")
    with answering(HERE) as server:
        cluster = connected(server, {"tokenFile": "token", "token": "old"})
        cluster.get(POD, "here")
        file.write_text("second")
        cluster.get(POD, "here")
        file.unlink()
        with pytest.raises(Forbidden, match=r"cannot be read: .*kube/token"):
            cluster.get(POD, "here")
    assert server.authorizations == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("version", [V1, "client.authentication.k8s.io/v1beta1"])
def test_a_plugin_is_told_what_kubectl_tells_it(connected: Connect, tmp_path: Path, version: str) -> None:
    code = f"pathlib.Path({str(tmp_path / 'told')!r}).write_text(json.dumps([info, os.environ['WHO']]))\n"
    user = plugin(
        tmp_path,
        code + hand_out("'abc'"),
        apiVersion=version,
        env=[{"name": "WHO", "value": "ada"}],
        provideClusterInfo=True,
    )
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "us"}}]
    with answering(HERE) as server:
        connected(server, user, extensions=extensions).get(POD, "here")
    cluster = {"server": server.address, "config": {"audience": "us"}}
    told = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False, "cluster": cluster}}
    assert json.loads((tmp_path / "told").read_text()) == [told, "ada"]
    assert server.authorizations == ["Bearer abc"]


def test_a_plugin_beside_the_kubeconfig_is_found(connected: Connect, tmp_path: Path) -> None:
    (tmp_path / "kube/bin").mkdir(parents=True)
    program = tmp_path / "kube/bin/login"
    answer = {"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "abc"}}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(0o755)
    with answering(HERE) as server:
        connected(server, {"exec": {"apiVersion": V1, "command": "bin/login"}}).get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


def test_a_plugin_is_asked_once_while_its_token_lives(connected: Connect, tmp_path: Path) -> None:
    code = counted(tmp_path) + "\n" + hand_out("f'token-{n}'", f"'expirationTimestamp': {LONG_FROM_NOW!r}")
    with answering(HERE) as server:
        cluster = connected(server, plugin(tmp_path, code))
        for _ in range(3):
            cluster.get(POD, "here")
    assert server.authorizations == ["Bearer token-1"] * 3


def test_a_plugin_is_asked_again_when_its_token_expires(connected: Connect, tmp_path: Path) -> None:
    code = counted(tmp_path) + "\n" + hand_out("f'token-{n}'", "'expirationTimestamp': '2001-01-01T00:00:00.5Z'")
    with answering(HERE) as server:
        cluster = connected(server, plugin(tmp_path, code))
        cluster.get(POD, "here")
        cluster.get(POD, "here")
    assert server.authorizations == ["Bearer token-2", "Bearer token-3"]


def test_a_plugin_is_asked_again_when_its_token_is_refused(connected: Connect, tmp_path: Path) -> None:
    with answering(REFUSED, HERE) as server:
        cluster = connected(server, plugin(tmp_path, counted(tmp_path) + "\n" + hand_out("f'token-{n}'")))
        cluster.create(POD, {"metadata": {"name": "here"}})
    assert server.authorizations == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_stays_refused_is_told(connected: Connect, tmp_path: Path) -> None:
    with answering(REFUSED) as server:
        cluster = connected(server, plugin(tmp_path, hand_out("'abc'")))
        with pytest.raises(Unauthorized):
            cluster.get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


@pytest.mark.parametrize(
    ("code", "more", "said"),
    [
        (f"print({CANARY!r})", {}, "it does not answer in JSON"),
        (f"print(json.dumps({{'status': {{'token': {CANARY!r}}}}}))", {}, "an ExecCredential of"),
        (hand_out("None"), {}, "neither a token nor a certificate"),
        (hand_out(repr(CANARY), "'expirationTimestamp': 'soon'"), {}, "is no time"),
        (
            hand_out("None", f"'clientCertificateData': 'x', 'clientKeyData': {CANARY!r}"),
            {},
            "certificate and key are none",
        ),
        ("raise SystemExit(3)", {"installHint": "get it from example.org"}, "get it from example.org"),
        (hand_out("'abc'"), {"interactiveMode": "Always"}, "there is no terminal"),
    ],
    ids=["no-json", "no-version", "nothing", "no-time", "no-certificate", "hint", "terminal"],
)
def test_what_a_plugin_does_wrong_is_told_without_secrets(
    connected: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, more: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(Forbidden) as raised:
        connected("https://127.0.0.1:1", plugin(tmp_path, code, **more))
    assert said in str(raised.value)
    assert CANARY not in str(raised.value)


def of_authority(ca: trustme.CA, *names: str, asks: bool = False) -> ssl.SSLContext:
    """A server's side of TLS; where it `asks`, only clients come in whose certificate is of the authority."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(tls)
    if asks:
        tls.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(tls)
    return tls


def encoded(blob: trustme.Blob) -> str:
    return base64.b64encode(blob.bytes()).decode()


def test_certificates_come_from_the_kubeconfig_or_from_files_beside_it(connected: Connect, tmp_path: Path) -> None:
    ca = trustme.CA()
    ada = ca.issue_cert("ada@example.org")
    (tmp_path / "kube").mkdir()
    ca.cert_pem.write_to_path(tmp_path / "kube/ca.crt")
    ada.cert_chain_pems[0].write_to_path(tmp_path / "kube/ada.crt")
    ada.private_key_pem.write_to_path(tmp_path / "kube/ada.key")
    inside = {
        "client-certificate-data": encoded(ada.cert_chain_pems[0]),
        "client-key-data": encoded(ada.private_key_pem),
    }
    with answering(HERE, tls=of_authority(ca, "127.0.0.1", asks=True)) as server:
        files = {"client-certificate": "ada.crt", "client-key": "ada.key"}
        connected(server, files, **{"certificate-authority": "ca.crt"}).get(POD, "here")
        connected(server, inside, **{"certificate-authority-data": encoded(ca.cert_pem)}).get(POD, "here")
    assert len(server.asked) == 2


def test_a_plugin_may_hand_out_a_certificate(connected: Connect, tmp_path: Path) -> None:
    ca = trustme.CA()
    ada = ca.issue_cert("ada@example.org")
    certificate, key = ada.cert_chain_pems[0].bytes().decode(), ada.private_key_pem.bytes().decode()
    code = hand_out("None", f"'clientCertificateData': {certificate!r}, 'clientKeyData': {key!r}")
    trust = {"certificate-authority-data": encoded(ca.cert_pem)}
    with answering(HERE, tls=of_authority(ca, "127.0.0.1", asks=True)) as server:
        connected(server, plugin(tmp_path, code), **trust).get(POD, "here")
    assert server.authorizations == [None]


def test_a_server_may_have_another_name_in_its_certificate(connected: Connect) -> None:
    ca = trustme.CA()
    trust = {"certificate-authority-data": encoded(ca.cert_pem), "tls-server-name": "kubernetes.example"}
    with answering(HERE, tls=of_authority(ca, "kubernetes.example")) as server:
        connected(server, {}, **trust).get(POD, "here")
    assert len(server.asked) == 1


def test_a_server_may_be_trusted_unseen(connected: Connect) -> None:
    with answering(HERE, tls=of_authority(trustme.CA(), "elsewhere.example")) as server:
        connected(server, {"token": "abc"}, **{"insecure-skip-tls-verify": True}).get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({}, {"certificate-authority-data": base64.b64encode(CANARY.encode()).decode()}, "certificate-authority is no"),
        ({"client-certificate-data": "eA=="}, {}, "need each other"),
        ({"client-certificate-data": "eA==", "client-key-data": "eA=="}, {}, "certificate and key are none"),
        ({"auth-provider": {"name": "azure", "config": {"access-token": CANARY}}}, {}, "its auth-provider is unknown"),
    ],
    ids=["authority", "no-key", "no-certificate", "provider"],
)
def test_what_cannot_be_used_is_told_without_secrets(
    connected: Connect, user: dict[str, Any], cluster: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as raised:
        connected("https://127.0.0.1:1", user, **cluster)
    assert "cannot be used" in str(raised.value)
    assert said in str(raised.value)
    assert CANARY not in str(raised.value)


def test_an_auth_provider_still_counts(connected: Connect) -> None:
    token = jwt(sub="ada", exp=int(time.time()) + 3600)
    provider = {"name": "oidc", "config": {"id-token": token, "idp-issuer-url": "https://issuer.invalid"}}
    with answering(HERE) as server:
        connected(server, {"auth-provider": provider}).get(POD, "here")
    assert server.authorizations == [f"Bearer {token}"]


def test_requests_go_by_the_proxy_of_the_kubeconfig(connected: Connect) -> None:
    with answering(HERE) as proxy:
        connected("http://kubernetes.invalid", {}, **{"proxy-url": proxy.address}).get(POD, "here")
    assert proxy.asked == [("GET", "http://kubernetes.invalid/api/v1/namespaces/default/pods/here")]


def test_requests_go_by_the_proxy_of_the_environment_but_not_on_this_machine(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(HERE) as proxy, answering(HERE) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        connected("http://kubernetes.invalid", {}).get(POD, "here")
        connected(server, {}).get(POD, "here")
    assert (len(proxy.asked), len(server.asked)) == (1, 1)


def test_a_pod_asks_as_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "namespace").write_text("ml\n")
    (tmp_path / "token").write_text("first")
    monkeypatch.setattr(pod_account, "ACCOUNT", tmp_path)
    with answering(HERE, tls=of_authority(ca, "127.0.0.1")) as server:
        host, _, port = server.address.removeprefix("https://").partition(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        cluster = connect()
        cluster.get(POD, "here")
        (tmp_path / "token").write_text("second")
        cluster.get(POD, "here")
    assert cluster.namespace == "ml"
    assert server.authorizations == ["Bearer first", "Bearer second"]


def test_the_kubernetes_package_is_not_imported_without_need(connected: Connect) -> None:
    """It takes longer to import than all else that a command does."""
    code = "import sys; from odahu_argo.kube.client import connect; connect(); sys.exit('kubernetes' in sys.modules)"
    connected("https://127.0.0.1:1", {"token": "abc"})
    subprocess.run([sys.executable, "-c", code], check=True)
