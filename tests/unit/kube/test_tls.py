"""Certificates, server names and proxies of a kubeconfig, against TLS servers on the loopback interface."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import trustme

from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import POD
from tests.servers.scripted import Answer, answering
from tests.servers.tls import encoded, server_context
from tests.unit.kube.conftest import Connect

OK = Answer(200, {"metadata": {"name": "here"}})


def test_certificates_come_from_the_kubeconfig_or_from_files_next_to_it(connected: Connect, folder: Path) -> None:
    ca = trustme.CA()
    client = ca.issue_cert("someone@example.org")
    ca.cert_pem.write_to_path(folder / "ca.crt")
    client.cert_chain_pems[0].write_to_path(folder / "client.crt")
    client.private_key_pem.write_to_path(folder / "client.key")
    embedded = {
        "client-certificate-data": encoded(client.cert_chain_pems[0]),
        "client-key-data": encoded(client.private_key_pem),
    }
    with answering(OK, tls=server_context(ca, "127.0.0.1", require_client_certificate=True)) as server:
        files = {"client-certificate": "client.crt", "client-key": "client.key"}
        connected(server, files, **{"certificate-authority": "ca.crt"}).get(POD, "here")
        connected(server, embedded, **{"certificate-authority-data": encoded(ca.cert_pem)}).get(POD, "here")
    assert len(server.requests) == 2


def test_tls_server_name_replaces_the_host_in_the_certificate(connected: Connect) -> None:
    ca = trustme.CA()
    cluster = {"certificate-authority-data": encoded(ca.cert_pem), "tls-server-name": "kubernetes.example"}
    with answering(OK, tls=server_context(ca, "kubernetes.example")) as server:
        connected(server, {}, **cluster).get(POD, "here")
    assert len(server.requests) == 1


def test_insecure_skip_tls_verify_accepts_any_certificate(connected: Connect) -> None:
    with answering(OK, tls=server_context(trustme.CA(), "other.example")) as server:
        connected(server, {"token": "abc"}, **{"insecure-skip-tls-verify": True}).get(POD, "here")
    assert server.authorizations == ["Bearer abc"]


def test_uses_the_proxy_of_the_kubeconfig(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with answering(OK) as proxy:
        url = proxy.address.replace("//", "//user:pass%21@")
        connected("http://kubernetes.invalid", {}, **{"proxy-url": url}).get(POD, "here")
    assert proxy.requests == [("GET", "http://kubernetes.invalid/api/v1/namespaces/ml/pods/here")]
    expected = base64.b64encode(b"user:pass!").decode()
    assert ("proxy-authorization", f"Basic {expected}") in [(name.lower(), value) for name, value in proxy.headers[0]]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_uses_the_proxy_of_the_environment_except_for_loopback(
    connected: Connect, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with answering(OK) as proxy, answering(OK) as server:
        monkeypatch.setenv("HTTP_PROXY", scheme + proxy.address.removeprefix("http://"))
        connected("http://kubernetes.invalid").get(POD, "here")
        connected(server).get(POD, "here")
    assert (len(proxy.requests), len(server.requests)) == (1, 1)


def test_no_proxy_lists_hosts_that_bypass_the_proxy(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.invalid")
        connected("http://kubernetes.example.org").get(POD, "here")
        with pytest.raises(Unreachable, match="unknown host name"):
            connected("http://kubernetes.invalid").create(POD, {"metadata": {"name": "here"}})
    assert len(proxy.requests) == 1
