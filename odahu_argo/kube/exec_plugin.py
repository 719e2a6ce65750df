"""Credentials that a program hands out, as kubectl asks for them.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from odahu_argo.errors import Forbidden
from odahu_argo.kube.access import bearer
from odahu_argo.kube.kubeconfig_entry import Entry, Unusable
from odahu_argo.kube.tls import show

if TYPE_CHECKING:
    from ssl import SSLContext


_LONGEST_REASON = 300
_MARGIN = timedelta(seconds=10)
_EXTENSION = "client.authentication.k8s.io/exec"


class Plugin:
    """What the program of `call`, a user's `exec`, hands out: kept until it expires or is refused.

    A client certificate goes into `trust`.
    """

    def __init__(self, call: Entry, cluster: Entry, trust: SSLContext | None, origin: str) -> None:
        self._call, self._cluster, self._trust, self._origin = call, cluster, trust, origin
        self._lock = threading.Lock()
        self._given: Mapping[str, Any] = {}
        self._until: datetime | None = None
        self._ask()

    def headers(self) -> Mapping[str, str]:
        """See `Credentials`."""
        with self._lock:
            if self._until is not None and datetime.now(UTC) > self._until - _MARGIN:
                self._ask()
            return self._headers()

    def renew(self, refused: Mapping[str, str]) -> bool:
        """See `Credentials`."""
        with self._lock:
            if self._headers() != refused:
                return True
            before = self._given
            self._ask()
            return self._given != before

    def _headers(self) -> dict[str, str]:
        return bearer(str(self._given.get("token") or ""))

    def _ask(self) -> None:
        given = self._run()
        certificate, key = (str(given.get(name) or "").encode() for name in ("clientCertificateData", "clientKeyData"))
        if not given.get("token") and not (certificate and key):
            raise self._failure("it answers with neither a token nor a certificate and its key")
        try:
            until = given.get("expirationTimestamp")
            self._until = datetime.fromisoformat(str(until)).astimezone(UTC) if until else None
            if certificate and key and self._trust is not None:
                show(self._trust, certificate, key)
        except ValueError:
            raise self._failure("its expirationTimestamp is no time") from None
        except Unusable as error:
            raise self._failure(str(error)) from None
        self._given = given

    def _run(self) -> Mapping[str, Any]:
        """The status in its answer."""
        mode = self._call.text("interactiveMode")
        has_terminal = sys.stdin is not None and sys.stdin.isatty() and mode != "Never"
        if mode == "Always" and not has_terminal:
            raise self._failure("it asks questions, and there is no terminal")
        try:
            ended = subprocess.run(
                [self._program, *self._arguments],
                env={**os.environ, **self._variables, "KUBERNETES_EXEC_INFO": json.dumps(self._question(has_terminal))},
                stdin=None if has_terminal else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if has_terminal else subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            raise self._failure(getattr(error, "strerror", None) or "its call is wrong") from None
        if ended.returncode:
            said = (ended.stderr or b"").decode(errors="replace").strip()
            raise self._failure(f"it ended with {ended.returncode}{f': {said}' if said else ''}")
        return self._status(ended.stdout)

    def _status(self, output: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(output)
        except ValueError:
            raise self._failure("it does not answer in JSON") from None
        version = self._call.text("apiVersion")
        if (
            not isinstance(answer, dict)
            or answer.get("apiVersion") != version
            or not isinstance(answer.get("status"), dict)
        ):
            raise self._failure(f"it does not answer with an ExecCredential of {version} that has a status")
        status: Mapping[str, Any] = answer["status"]
        return status

    @property
    def _program(self) -> str:
        """A relative path counts from the kubeconfig's folder, a mere name is looked for in PATH."""
        command = self._call.text("command")
        return str(self._call.folder / command) if os.sep in command else command

    @property
    def _arguments(self) -> list[str]:
        given = self._call.values.get("args")
        return [str(each) for each in given] if isinstance(given, list) else []

    @property
    def _variables(self) -> dict[str, str]:
        given = self._call.values.get("env")
        named = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        return {str(each.get("name")): str(each.get("value")) for each in named}

    def _question(self, has_terminal: bool) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": has_terminal}
        if self._call.is_on("provideClusterInfo"):
            spec["cluster"] = self._cluster_info()
        return {"apiVersion": self._call.text("apiVersion"), "kind": "ExecCredential", "spec": spec}

    def _cluster_info(self) -> dict[str, Any]:
        cluster = self._cluster
        names = ("server", "tls-server-name", "proxy-url", "insecure-skip-tls-verify")
        told = {name: cluster.values[name] for name in names if cluster.values.get(name)}
        if authority := cluster.content("certificate-authority"):
            told["certificate-authority-data"] = base64.b64encode(authority).decode()
        extensions = cluster.values.get("extensions")
        for each in extensions if isinstance(extensions, list) else []:
            if isinstance(each, dict) and each.get("name") == _EXTENSION:
                told["config"] = each.get("extension")
        return told

    def _failure(self, reason: str) -> Forbidden:
        command = self._call.text("command") or "(none)"
        return Forbidden(
            f"the credential plug-in {command} of {self._origin} gives no credentials: {reason[:_LONGEST_REASON]}",
            hint=self._call.text("installHint") or "install it or log in with it; `kubectl auth whoami` tries it too",
        )
