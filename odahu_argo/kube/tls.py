"""TLS as a kubeconfig asks for it: which certificates are trusted, and which one is shown."""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

from odahu_argo.kube.kubeconfig_entry import Unusable


def trusting(authority: bytes) -> ssl.SSLContext:
    """Trust in what this authority has signed, by PEM; in what the system trusts, where it is empty.

    It is no stricter than kubectl: Python's own default refuses the authorities of some clusters since 3.13.

    Raises:
        Unusable: it is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not authority:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=authority.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise Unusable("its certificate-authority is no certificate") from None
    return context


def trusting_anybody() -> ssl.SSLContext:
    """What `insecure-skip-tls-verify` asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Show this certificate, by PEM, on connections that are opened from now on.

    Python reads it from files alone: for that moment it lies in a folder that nobody else may open.

    Raises:
        Unusable: it is none, or the key is not its own.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, "client.pem")
        file.write_bytes(certificate + b"\n" + key)
        try:
            context.load_cert_chain(file, password=_no_password)
        except (ssl.SSLError, OSError, ValueError):
            raise Unusable("its client certificate and key are none, or do not belong together") from None


def _no_password() -> str:
    """In place of Python's question on the terminal."""
    return ""
