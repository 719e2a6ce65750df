"""Map responses and connection failures of the Kubernetes API to `odahu_argo.errors`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from odahu_argo.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    OdahuArgoError,
    Rejected,
    Unauthorized,
    Unreachable,
)
from odahu_argo.http import describe_failure, is_tls_error
from odahu_argo.kube.cluster import NAMESPACE, SECRET, Kind, Object

_MAX_MESSAGE_LENGTH = 1000
_RETRY_HINT = "try again later"


@dataclass(frozen=True, slots=True)
class Action:
    """An operation on a resource, with an RBAC verb. `name` is empty for operations on a collection."""

    verb: str
    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        subject = f"the {self.subresource} of {self.kind.name}" if self.subresource else self.kind.name
        return f"{self.verb} {subject} {self.name or 'objects'}{self.location}"

    @property
    def location(self) -> str:
        """Return ` in namespace NAME`; empty for a cluster-scoped kind."""
        return f" in namespace {self.namespace}" if self.kind.namespaced else ""

    @property
    def permission_check(self) -> str:
        """Return the kubectl command that checks whether the account may perform the action."""
        subresource = f" --subresource={self.subresource}" if self.subresource else ""
        namespace = f" -n {self.namespace}" if self.kind.namespaced else ""
        return f"kubectl auth can-i {self.verb} {self.kind.resource}{subresource}{namespace}"


def from_response(action: Action, server: str, code: int, body: bytes) -> OdahuArgoError:
    """Return the error for an unsuccessful response."""
    try:
        status = json.loads(body)
    except ValueError:
        status = {}
    return from_status(action, server, {"code": code, **status} if isinstance(status, dict) else {"code": code})


def from_status(action: Action, server: str, status: Object) -> OdahuArgoError:
    """Return the error for a `Status` object, which is a response body or an event of a watch."""
    code, reason = status.get("code"), str(status.get("reason") or "")
    message = _message(action, status)
    text = f"cannot {action}: {message}" if message else f"cannot {action}: the API server returned {code}"
    match code:
        case 401:
            return Unauthorized(
                f"cannot {action}: the API server rejects the credentials",
                hint="log in again, or check the user of this context in the kubeconfig",
            )
        case 403 if " cannot " in message:
            hint = f"ask a cluster administrator for the permission; check it with `{action.permission_check}`"
            return Forbidden(f"cannot {action}: permission denied", hint)
        case 403 if "exceeded quota" in message:
            hint = (
                f"delete unused objects or raise the quota; show it with `kubectl describe quota -n {action.namespace}`"
            )
            return Forbidden(text, hint)
        case 403:
            return Forbidden(text, hint="ask a cluster administrator")
        case 404:
            return _not_found(action, status)
        case 409 if reason == "AlreadyExists":
            return AlreadyExists(f"cannot {action}: it already exists")
        case 409:
            return Conflict(text, hint="another client has changed the object; try again")
        case 410:
            return Expired(f"cannot {action}: the resource version has expired", hint=_RETRY_HINT)
        case int() if 400 <= code < 500 and code not in (408, 429):
            return Rejected(text, hint="the API server rejects the request as invalid")
        case _:
            return Unreachable(f"{text} ({server})", hint=_RETRY_HINT)


def from_failure(action: Action, server: str, error: BaseException) -> Unreachable:
    """Return the error for a request without a complete response."""
    if is_tls_error(error):
        return Unreachable(
            f"cannot {action}: the certificate of {server} is not trusted, or the server does not use TLS",
            hint="check server and certificate-authority of this context in the kubeconfig",
        )
    return Unreachable(
        f"cannot {action}: no response from {server}: {describe_failure(error)}",
        hint="check the network and the kubeconfig context",
    )


def not_kubernetes(action: Action, server: str) -> Unreachable:
    """Return the error for a response that is not from a Kubernetes API, such as a login page."""
    return Unreachable(
        f"cannot {action}: {server} does not respond like a Kubernetes API server",
        hint="check the server of this context in the kubeconfig, and proxies on the way",
    )


def _message(action: Action, status: Object) -> str:
    """Return the status message. For an invalid Secret, return only field names: the message may quote secret values."""
    message = str(status.get("message") or "")
    if action.kind == SECRET and status.get("code") in (400, 422):
        causes = _details(status).get("causes")
        fields = [str(cause.get("field")) for cause in causes if isinstance(cause, dict)] if causes else []
        return f"{status.get('reason')}: {', '.join(fields)}" if fields else str(status.get("reason") or "")
    return message if len(message) <= _MAX_MESSAGE_LENGTH else f"{message[:_MAX_MESSAGE_LENGTH]}…"


def _not_found(action: Action, status: Object) -> NotFound:
    kind = action.kind
    if status.get("kind") != "Status":
        hint = "install Argo Workflows with its CRDs" if kind.group == "argoproj.io" else None
        return NotFound(f"the cluster does not support {kind.name} ({kind.api_version})", hint)
    if kind != NAMESPACE and _details(status).get("kind") == "namespaces":
        return NotFound(f"namespace {action.namespace} does not exist", hint="create it, or set --namespace")
    return NotFound(f"{kind.name} {action.name} does not exist{action.location}")


def _details(status: Object) -> dict[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}
