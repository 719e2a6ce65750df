"""The cluster that a pod runs in, as its service account.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
"""

from __future__ import annotations

import os
from pathlib import Path

from odahu_argo.kube.access import Access
from odahu_argo.kube.kubeconfig_entry import Unusable
from odahu_argo.kube.tls import trusting
from odahu_argo.kube.token_file import TokenFile

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def pod_access() -> Access | None:
    """The way to that cluster; None where this is no pod with a service account."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not host or not port or not (ACCOUNT / "token").is_file():
        return None
    try:
        trust = trusting((ACCOUNT / "ca.crt").read_bytes())
        namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, Unusable):
        return None
    origin = "this pod's service account"
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Access(server, namespace or "default", origin, TokenFile(ACCOUNT / "token", origin), trust)
