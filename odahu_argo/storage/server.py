"""A server of objects that is read from without the cloud's own library, which takes longer around a request than it does."""

from __future__ import annotations

import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from odahu_argo.errors import UserError

_CONNECT_SECONDS = 10
READ_SECONDS = 20
_RANGES_AT_ONCE = 8
_FIFTY_CONNECTIONS = 20.0
"""Gigabits per second that the runtime aims at, and the connections that it opens for them."""
_THREADS = 2
_AGAIN = 3


@dataclass(frozen=True, slots=True)
class Trust:
    """The file of trusted authorities, and the variable that names it."""

    file: str
    variable: str

    @classmethod
    def named_by(cls, *variables: str) -> Trust:
        """The file that the first of these variables names, else certifi's, as the clouds' libraries for Python do."""
        import certifi

        named = next((name for name in variables if os.environ.get(name)), variables[0])
        return cls(os.environ.get(named) or certifi.where(), named)


def trust_of_requests() -> Trust:
    """The authorities that the package `requests` trusts, and with it the libraries of Azure and Google."""
    return Trust.named_by("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Server:
    """The server of this URL, which has no slash at its end. `signing` is awscrt's, for S3."""

    url: str
    trust: Trust
    signing: Any = field(default=None, repr=False)
    region: str = "none"

    @cached_property
    def runtime(self) -> Any:
        """A client of AWS's Common Runtime (awscrt), which works on requests and files outside Python."""
        from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
        from awscrt.s3 import S3Client, S3RequestTlsMode, S3RetryConfig

        threads = EventLoopGroup(_THREADS)
        tls = self._tls() if self.url.startswith("https://") else None
        return S3Client(
            bootstrap=ClientBootstrap(threads, DefaultHostResolver(threads)),
            region=self.region,
            signing_config=self.signing,
            tls_mode=S3RequestTlsMode.ENABLED if tls else S3RequestTlsMode.DISABLED,
            tls_connection_options=tls,
            throughput_target_gbps=_FIFTY_CONNECTIONS,
            connect_timeout_ms=_CONNECT_SECONDS * 1000,
            retry_config=S3RetryConfig(max_retries=_AGAIN),
        )

    @cached_property
    def connections(self) -> Any:
        """A pool of urllib3's."""
        from urllib3 import PoolManager, Timeout

        timeout = Timeout(connect=_CONNECT_SECONDS, read=READ_SECONDS)
        return PoolManager(maxsize=_RANGES_AT_ONCE, timeout=timeout, retries=False, ca_certs=self.trust.file)

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """For what waits for `connections`."""
        return ThreadPoolExecutor(_RANGES_AT_ONCE, thread_name_prefix="range")

    @cached_property
    def is_usable(self) -> bool:
        """Whether the server answers, without a proxy and over TLS with a certificate that one file of authorities trusts.

        awscrt must not be the first to find out: its TLS (s2n) waits up to 30 s after a handshake that failed, each time.

        Raises:
            UserError: the authorities cannot be used.
        """
        url = urlsplit(self.url)
        if _has_proxy(url.scheme, url.netloc) or Path(self.trust.file).is_dir():
            return False
        if url.scheme != "https" or not url.hostname:
            return True
        context = self._context()
        try:
            with (
                socket.create_connection((url.hostname, url.port or 443), _CONNECT_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=url.hostname),
            ):
                return True
        except OSError:
            return False

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.trust.file)
        except OSError as error:
            reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise UserError(
                f"the file of trusted authorities {self.trust.file} cannot be used: {reason}",
                hint=f"{self.trust.variable} names it",
            ) from None

    def _tls(self) -> Any:
        from awscrt.io import ClientTlsContext, TlsContextOptions

        options = TlsContextOptions()
        options.override_default_trust_store(Path(self.trust.file).read_bytes())
        connection = ClientTlsContext(options).new_connection_options()
        connection.set_server_name(urlsplit(self.url).hostname)
        return connection


def _has_proxy(scheme: str, host: str) -> bool:
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return (scheme in proxies or "all" in proxies) and not proxy_bypass(host)
