"""The proxy that the environment names for an address, as Go's programs and so kubectl read it (HTTPS_PROXY, NO_PROXY).

https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit


def proxy_for(url: str) -> str:
    """The proxy's URL; empty where there is none. What is on this machine is asked without one."""
    parts = urlsplit(url)
    proxy = _variable(f"{parts.scheme}_proxy")
    if not proxy or _is_reached_without(parts.hostname or "", str(parts.port or "")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def _is_reached_without(host: str, port: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = (each.strip().lower() for each in _variable("no_proxy").split(","))
    return any(_covers(each, host, port, address) for each in entries if each)


def _covers(entry: str, host: str, port: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry == "*":
        return True
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    if entry.endswith(f":{port}") and port:
        entry = entry.removesuffix(f":{port}")
    name = entry.removeprefix("*").removeprefix(".")
    return host.endswith(f".{name}") or (host == name and not entry.startswith(("*", ".")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
