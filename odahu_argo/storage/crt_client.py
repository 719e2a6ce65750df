"""A client of AWS's Common Runtime (awscrt) for S3."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_PART = 4 * 1024 * 1024
_GIGABITS = 1.0
"""What the runtime aims at, by ten connections; 128 MiB of parts are in memory at most, whatever the number of objects."""
_THREADS = 2
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
    from awscrt.s3 import S3Client, S3RequestTlsMode, create_default_s3_signing_config

    threads = EventLoopGroup(_THREADS)
    is_secure = place.url.startswith("https://")
    return S3Client(
        bootstrap=ClientBootstrap(threads, DefaultHostResolver(threads)),
        region=place.region,
        signing_config=create_default_s3_signing_config(region=place.region, credential_provider=_provider(keys)),
        tls_mode=S3RequestTlsMode.ENABLED if is_secure else S3RequestTlsMode.DISABLED,
        tls_connection_options=_trust(urlsplit(place.url).hostname or "") if is_secure else None,
        part_size=_PART,
        throughput_target_gbps=_GIGABITS,
        connect_timeout_ms=10_000,
    )


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
    import certifi
    from awscrt.io import ClientTlsContext, TlsContextOptions

    options = TlsContextOptions()
    options.override_default_trust_store_from_path(None, os.environ.get("AWS_CA_BUNDLE") or certifi.where())
    connection = ClientTlsContext(options).new_connection_options()
    connection.set_server_name(host)
    return connection
