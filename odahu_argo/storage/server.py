"""A server of objects that is read from without the cloud's own library, which needs ten times as long."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from odahu_argo.storage.multi import Multi
from odahu_argo.storage.part import Bringing
from odahu_argo.storage.request import USER_AGENT, Authorize, Patience

_RANGES_AT_ONCE = 8
_PATIENCE = Patience()


@dataclass(frozen=True)
class Trust:
    """The trusted authorities that one of these variables names, else certifi's, as for the clouds' libraries."""

    variables: tuple[str, ...]

    @property
    def variable(self) -> str:
        """The variable that names them, or would."""
        return next((name for name in self.variables if os.environ.get(name)), self.variables[0])

    @property
    def path(self) -> str:
        """Their file or folder."""
        import certifi

        return os.environ.get(self.variable) or certifi.where()


TRUST_OF_REQUESTS = Trust(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
"""What the package `requests` trusts, and with it the libraries of Azure and Google."""


@dataclass(frozen=True)
class Server:
    """The server of this URL, which has no slash at its end; `authorize` is asked before each request."""

    url: str
    trust: Trust
    authorize: Authorize = field(repr=False)
    _own: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @property
    def multi(self) -> Multi:
        """For many small requests at once, of this thread."""
        own = self._own
        if not hasattr(own, "multi"):
            own.multi = Multi(self._handle, self.authorize)
        return own.multi  # type: ignore[no-any-return]  # threading.local has no types

    @cached_property
    def large(self) -> Bringing:
        """For large requests: by the kernel alone where they are not encrypted."""
        from odahu_argo.storage.by_curl import ByCurl

        by_curl = ByCurl(self._handle)
        if self._is_encrypted:
            return by_curl
        from odahu_argo.storage.by_kernel import ByKernel

        return ByKernel(self.url, _PATIENCE, by_curl)

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """For large requests, one in each."""
        return ThreadPoolExecutor(_RANGES_AT_ONCE, thread_name_prefix="range")

    @cached_property
    def is_usable(self) -> bool:
        """Whether libcurl is right for this URL: of HTTP, in ASCII, and without a proxy, of which SDKs know more."""
        url = urlsplit(self.url)
        return url.scheme in ("http", "https") and self.url.isascii() and not _has_proxy(url)

    def _handle(self) -> Any:
        """A handle of libcurl's for requests to this server, one after the other."""
        from pycurl import CURL_HTTP_VERSION_1_1, PROTO_HTTP, PROTO_HTTPS, Curl

        handle = Curl()
        options = {
            handle.NOSIGNAL: 1,
            handle.PROTOCOLS: PROTO_HTTP | PROTO_HTTPS,
            handle.PROXY: "",
            handle.HTTP_VERSION: CURL_HTTP_VERSION_1_1,
            handle.USERAGENT: USER_AGENT,
            handle.CONNECTTIMEOUT: _PATIENCE.to_connect,
            handle.LOW_SPEED_LIMIT: 1,
            handle.LOW_SPEED_TIME: _PATIENCE.in_silence,
        }
        if self._is_encrypted:
            path = self.trust.path
            if Path(path).is_dir():
                options[handle.CAPATH] = path
                handle.unsetopt(handle.CAINFO)
            else:
                options[handle.CAINFO] = path
        for option, value in options.items():
            handle.setopt(option, value)
        return handle

    @property
    def _is_encrypted(self) -> bool:
        return urlsplit(self.url).scheme == "https"


def _has_proxy(url: SplitResult) -> bool:
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return False  # without the 10 ms that the next line takes
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.netloc)
