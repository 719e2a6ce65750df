"""TLS contexts of test servers, with certificates from a `trustme` authority."""

from __future__ import annotations

import base64
import ssl

import trustme


def server_context(ca: trustme.CA, name: str, require_client_certificate: bool = False) -> ssl.SSLContext:
    """A server's context with a certificate for this host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    if require_client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(context)
    return context


def encoded(blob: trustme.Blob) -> str:
    """The PEM in base64, as a kubeconfig contains it."""
    return base64.b64encode(blob.bytes()).decode()
