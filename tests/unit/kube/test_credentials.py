"""Credentials of a kubeconfig user, as a server receives them."""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from odahu_argo.errors import Forbidden, Unauthorized
from odahu_argo.kube.cluster import POD
from tests.servers.scripted import Answer, answering
from tests.servers.tls import encoded, server_context
from tests.unit.kube.conftest import Connect

CANARY = "canary-of-a-secret"
OK = Answer(200, {"metadata": {"name": "here"}})
REJECTED = Answer(401, {"kind": "Status", "code": 401})
V1 = "client.authentication.k8s.io/v1"


def plugin(folder: Path, code: str, **fields: Any) -> dict[str, Any]:
    """A user with a credential plug-in written in Python. `info` is its input, and `n` counts its calls."""
    program, calls = folder / "login.py", str(folder / "calls")
    program.write_text(
        "import json, os, pathlib\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        f"calls = pathlib.Path({calls!r}); n = len(calls.read_text()) + 1 if calls.exists() else 1\n"
        f"calls.write_text('x' * n)\n{code}\n"
    )
    call = {"apiVersion": V1, "command": sys.executable, "args": [str(program)], "interactiveMode": "Never"}
    return {"exec": {**call, **fields}}


def credential(**status: Any) -> str:
    """Code that prints a credential. In a token, {n} is the number of the call."""
    return (
        f"status = json.loads({json.dumps(status)!r}.replace('{{n}}', str(n)))\n"
        "print(json.dumps({'apiVersion': info['apiVersion'], 'kind': 'ExecCredential', 'status': status}))"
    )


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({}, None),
        ({"token": "abc\n"}, "Bearer abc"),
        ({"username": "someone", "password": "pass word "}, basic("someone:pass word ")),
        ({"token": "abc", "username": "someone", "password": "x"}, "Bearer abc"),
        ({"token": 1234}, "Bearer 1234"),
    ],
    ids=["none", "token", "basic", "token-and-basic", "number"],
)
def test_sends_the_credentials_of_the_user(connected: Connect, user: dict[str, Any], header: str | None) -> None:
    with answering(OK) as server:
        connected(server, user).get(POD, "here")
    assert server.authorizations == [header]


def test_impersonates_another_user(connected: Connect) -> None:
    extra = {"Scopes": ["view", "edit"], "acme.org/team": ["ml"]}
    user = {"token": "abc", "as": "ci-bot", "as-uid": 17, "as-groups": ["ml", "devs"], "as-user-extra": extra}
    with answering(OK) as server:
        connected(server, user).get(POD, "here")
    assert [(name, value) for name, value in server.headers[0] if name.startswith("Impersonate-")] == [
        ("Impersonate-User", "ci-bot"),
        ("Impersonate-Uid", "17"),
        ("Impersonate-Group", "ml"),
        ("Impersonate-Group", "devs"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-acme.org%2Fteam", "ml"),
    ]
    assert server.authorizations == ["Bearer abc"]


def test_reads_a_token_file_again_after_its_token_is_rejected(connected: Connect, folder: Path) -> None:
    (folder / "token").write_text("first\n")
    with answering(OK, REJECTED, OK) as server:
        cluster = connected(server, {"tokenFile": "token"})
        cluster.get(POD, "here")
        (folder / "token").write_text("second")
        cluster.create(POD, {"metadata": {"name": "here"}})
    assert server.authorizations == ["Bearer first", "Bearer first", "Bearer second"]


def test_reads_the_kubeconfig_again_after_its_token_is_rejected(connected: Connect) -> None:
    with answering(REJECTED, OK) as server:
        cluster = connected(server, {"token": "old"})
        connected(server, {"token": "new"})
        cluster.get(POD, "here")
    assert server.authorizations == ["Bearer old", "Bearer new"]


def test_sends_a_rejected_token_once(connected: Connect) -> None:
    with answering(REJECTED) as server, pytest.raises(Unauthorized):
        connected(server, {"token": "abc"}).get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


@pytest.mark.parametrize("version", [V1, "client.authentication.k8s.io/v1beta1"])
def test_plugin_receives_its_environment_and_the_cluster(connected: Connect, folder: Path, version: str) -> None:
    code = f"pathlib.Path({str(folder / 'input')!r}).write_text(json.dumps([info, os.environ['WHO']]))\n"
    variables = [{"name": "WHO", "value": "someone"}]
    user = plugin(folder, code + credential(token="abc"), apiVersion=version, env=variables, provideClusterInfo=True)
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "us"}}]
    with answering(OK) as server:
        connected(server, user, extensions=extensions).get(POD, "here")
    info, who = json.loads((folder / "input").read_text())
    assert (info["apiVersion"], info["kind"], who) == (version, "ExecCredential", "someone")
    assert info["spec"]["cluster"]["server"] == server.address
    assert info["spec"]["cluster"]["config"] == {"audience": "us"}
    assert server.authorizations == ["Bearer abc"]


def test_plugin_path_is_relative_to_the_kubeconfig(connected: Connect, folder: Path) -> None:
    (folder / "bin").mkdir()
    output = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "abc"}})
    (folder / "bin/login").write_text(f"#!/bin/sh\necho '{output}'\n")
    (folder / "bin/login").chmod(0o755)
    with answering(OK) as server:
        connected(server, {"exec": {"apiVersion": V1, "command": "bin/login"}}).get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


def test_plugin_runs_once_while_its_token_is_valid(connected: Connect, folder: Path) -> None:
    with answering(OK) as server:
        user = plugin(folder, credential(token="token-{n}", expirationTimestamp="2999-01-01T00:00:00Z"))
        cluster = connected(server, user)
        for _ in range(3):
            cluster.get(POD, "here")
    assert server.authorizations == ["Bearer token-1"] * 3


def test_plugin_runs_again_when_its_token_expires(connected: Connect, folder: Path) -> None:
    with answering(OK) as server:
        user = plugin(folder, credential(token="token-{n}", expirationTimestamp="2001-01-01T00:00:00.5Z"))
        cluster = connected(server, user)
        cluster.get(POD, "here")
        cluster.get(POD, "here")
    assert server.authorizations == ["Bearer token-2", "Bearer token-3"]


def test_plugin_runs_again_when_its_token_is_rejected(connected: Connect, folder: Path) -> None:
    with answering(REJECTED, OK) as server:
        cluster = connected(server, plugin(folder, credential(token="token-{n}")))
        cluster.create(POD, {"metadata": {"name": "here"}})
    assert server.authorizations == ["Bearer token-1", "Bearer token-2"]


def test_plugin_may_return_a_certificate(connected: Connect, folder: Path) -> None:
    ca = trustme.CA()
    client = ca.issue_cert("someone@example.org")
    code = credential(
        clientCertificateData=client.cert_chain_pems[0].bytes().decode(),
        clientKeyData=client.private_key_pem.bytes().decode(),
    )
    trust = {"certificate-authority-data": encoded(ca.cert_pem)}
    with answering(OK, tls=server_context(ca, "127.0.0.1", require_client_certificate=True)) as server:
        connected(server, plugin(folder, code), **trust).get(POD, "here")
    assert server.authorizations == [None]


@pytest.mark.parametrize(
    ("code", "fields", "message"),
    [
        (f"print({CANARY!r})", {}, "failed to decode process output"),
        (f"print(json.dumps({{'status': {{'token': {CANARY!r}}}}}))", {}, "malformed response"),
        (f"print(json.dumps([{CANARY!r}]))", {}, "malformed response"),
        (credential(other=CANARY), {}, "neither a token nor a certificate"),
        (credential(token=CANARY, expirationTimestamp="soon"), {}, "invalid output"),
        ("raise SystemExit('please log in')", {}, "please log in"),
        ("raise SystemExit(3)", {"installHint": "get it from example.org"}, "get it from example.org"),
        ("", {"command": "no-such-login"}, "credential plug-in no-such-login"),
    ],
    ids=["no-json", "no-version", "list", "nothing", "no-time", "stderr", "hint", "not-installed"],
)
def test_reports_a_failing_plugin_without_secrets(
    connected: Connect, folder: Path, capfd: pytest.CaptureFixture[str], code: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(Forbidden) as raised:
        connected("https://127.0.0.1:1", plugin(folder, code, **fields))
    assert message in str(raised.value)
    assert CANARY not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_reports_a_plugin_that_fails_when_the_token_expires(connected: Connect, folder: Path) -> None:
    code = "if n > 1: raise SystemExit('the session has ended')\n"
    user = plugin(folder, code + credential(token="first", expirationTimestamp="2001-01-01T00:00:00Z"))
    cluster = connected("https://127.0.0.1:1", user)
    with pytest.raises(Forbidden, match="the session has ended"):
        cluster.get(POD, "any")


def test_uses_the_id_token_of_an_oidc_auth_provider(connected: Connect) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + 3600}).encode()).decode().rstrip("=")
    token = f"e30.{claims}.c2ln"
    provider = {"name": "oidc", "config": {"id-token": token, "idp-issuer-url": "https://issuer.invalid"}}
    with answering(OK) as server:
        connected(server, {"auth-provider": provider}).get(POD, "here")
    assert server.authorizations == [f"Bearer {token}"]
