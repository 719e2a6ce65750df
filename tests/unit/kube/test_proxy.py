"""Which proxy the environment means: the cases of Go's httpproxy, which kubectl stands on."""

from __future__ import annotations

import pytest

from odahu_argo.kube.proxy import proxy_for


@pytest.fixture(autouse=True)
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")


@pytest.mark.parametrize("url", ["https://10.1.2.3:6443", "https://k8s.example", "https://k8s.example:6443/sub"])
def test_an_address_is_reached_by_the_proxy_of_its_scheme(url: str) -> None:
    assert proxy_for(url) == "http://proxy.example:3128"
    assert proxy_for(url.replace("https", "http")) == ""


@pytest.mark.parametrize("url", ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"])
def test_this_machine_is_reached_without(url: str) -> None:
    assert proxy_for(url) == ""


@pytest.mark.parametrize(
    ("entry", "with_proxy", "without"),
    [
        ("*", [], ["k8s.example", "10.1.2.3"]),
        ("example", ["example.org", "anexample"], ["example", "k8s.example"]),
        (".example", ["example"], ["k8s.example"]),
        ("*.example", ["example"], ["k8s.example"]),
        ("10.0.0.0/8", ["11.1.2.3", "k8s.example"], ["10.1.2.3"]),
        ("10.1.2.3", ["10.1.2.4"], ["10.1.2.3"]),
        ("k8s.example:6443", ["k8s.example:443"], ["k8s.example:6443"]),
        ("other.example, k8s.example", ["a.example"], ["k8s.example", "other.example"]),
        ("no/network", ["10.1.2.3"], []),
    ],
)
def test_no_proxy_names_what_is_reached_without(
    monkeypatch: pytest.MonkeyPatch, entry: str, with_proxy: list[str], without: list[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", entry)
    assert {host: bool(proxy_for(f"https://{host}")) for host in with_proxy + without} == {
        **dict.fromkeys(with_proxy, True),
        **dict.fromkeys(without, False),
    }
