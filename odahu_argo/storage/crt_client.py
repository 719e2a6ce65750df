"""A client of AWS's Common Runtime (awscrt) for S3."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from odahu_argo.errors import UserError

_PART = 4 * 1024 * 1024
_GIGABITS = 1.0
"""What the runtime aims at, by ten connections; 128 MiB of parts are in memory at most, whatever the number of objects."""
_THREADS = 2
_AGAIN = 3
_CONNECT_SECONDS = 10
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Keys:
    """An identity."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: its URL without a slash at the end, and the region that signatures name."""

    url: str
    region: str


def crt_client(place: Place, keys: Keys | Callable[[], Keys]) -> Any | None:
    """The client for this bucket, with keys that stay or are asked for before each request; None behind a proxy."""
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
        return None
    from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
    from awscrt.s3 import S3Client, S3RequestTlsMode, S3RetryConfig, create_default_s3_signing_config

    trust = _trust(urlsplit(place.url).hostname or "") if place.url.startswith("https://") else None
    threads = EventLoopGroup(_THREADS)
    return S3Client(
        bootstrap=ClientBootstrap(threads, DefaultHostResolver(threads)),
        region=place.region,
        signing_config=create_default_s3_signing_config(region=place.region, credential_provider=_provider(keys)),
        tls_mode=S3RequestTlsMode.ENABLED if trust else S3RequestTlsMode.DISABLED,
        tls_connection_options=trust,
        part_size=_PART,
        throughput_target_gbps=_GIGABITS,
        connect_timeout_ms=_CONNECT_SECONDS * 1000,
        retry_config=S3RetryConfig(max_retries=_AGAIN),
    )


def shakes_hands(place: Place) -> bool:
    """Whether the server answers, over TLS with a certificate that is trusted.

    awscrt must not be the first to find out: its TLS (s2n) waits up to 30 s after a handshake that failed, each time.
    """
    url = urlsplit(place.url)
    if url.scheme != "https" or not url.hostname:
        return True
    context = ssl.create_default_context(cafile=_authorities())
    try:
        with (
            socket.create_connection((url.hostname, url.port or 443), _CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=url.hostname),
        ):
            return True
    except OSError:
        return False


def _authorities() -> str:
    import certifi

    return os.environ.get("AWS_CA_BUNDLE") or certifi.where()


def _provider(keys: Keys | Callable[[], Keys]) -> Any:
    from awscrt.auth import AwsCredentials, AwsCredentialsProvider

    if isinstance(keys, Keys):
        return AwsCredentialsProvider.new_static(keys.key_id, keys.secret, keys.token)

    def ask() -> Any:
        now = keys()
        return AwsCredentials(now.key_id, now.secret, now.token)

    return AwsCredentialsProvider.new_delegate(ask)


def _trust(host: str) -> Any:
    """The authorities that botocore would trust."""
    from awscrt.io import ClientTlsContext, TlsContextOptions

    file = _authorities()
    options = TlsContextOptions()
    try:
        options.override_default_trust_store(Path(file).read_bytes())
        connection = ClientTlsContext(options).new_connection_options()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no certificates"
        raise UserError(
            f"the file of trusted authorities {file} cannot be used: {reason}", hint="AWS_CA_BUNDLE names it"
        ) from None
    connection.set_server_name(host)
    return connection
