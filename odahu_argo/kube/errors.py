"""What the Kubernetes API's refusals and silences mean, as the errors of `cluster`.

Its answers are `Status` objects: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
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

_LONGEST_MESSAGE = 1000
_AGAIN = "try again later"


@dataclass(frozen=True, slots=True)
class Action:
    """What is being done, in the verbs of Kubernetes' rights. `name` is empty where many objects are meant."""

    verb: str
    kind: Kind
    namespace: str
    name: str = ""
    part: str = ""

    def __str__(self) -> str:
        what = f"the {self.part} of {self.kind.name}" if self.part else self.kind.name
        return f"{self.verb} {what} {self.name or 'objects'}{self._place}"

    @property
    def _place(self) -> str:
        return f" in namespace {self.namespace}" if self.kind.namespaced else ""

    @property
    def question(self) -> str:
        """The command that says whether the account may do it."""
        resource = f"{self.kind.plural}.{self.kind.group}" if self.kind.group else self.kind.plural
        part = f" --subresource={self.part}" if self.part else ""
        space = f" -n {self.namespace}" if self.kind.namespaced else ""
        return f"kubectl auth can-i {self.verb} {resource}{part}{space}"


def from_answer(action: Action, server: str, code: int, body: bytes) -> OdahuArgoError:
    """The error for an answer that is no success."""
    try:
        status = json.loads(body)
    except ValueError:
        status = {}
    return from_status(action, server, {"code": code, **status} if isinstance(status, dict) else {"code": code})


def from_status(action: Action, server: str, status: Object) -> OdahuArgoError:
    """The error that a `Status` object tells of, also in the middle of a watch."""
    code, reason = status.get("code"), str(status.get("reason") or "")
    message = _message(action, status)
    said = f"cannot {action}: {message}" if message else f"cannot {action}: the API answered {code}"
    match code:
        case 401:
            return Unauthorized(
                f"cannot {action}: the cluster does not accept these credentials",
                hint="log in again, or check the user of this context in the kubeconfig",
            )
        case 403 if " cannot " in message:
            return Forbidden(f"cannot {action}: this account may not", hint=f"have it allowed: `{action.question}`")
        case 403 if "exceeded quota" in message:
            hint = f"remove what is no longer needed, or ask for more: kubectl describe quota -n {action.namespace}"
            return Forbidden(said, hint)
        case 403:
            return Forbidden(said, hint="have it allowed by who runs the cluster")
        case 404:
            return _not_found(action, status)
        case 409 if reason == "AlreadyExists":
            return AlreadyExists(f"cannot {action}: there is one of this name already")
        case 409:
            return Conflict(said, hint="somebody else has changed it; try again")
        case 410:
            return Expired(f"cannot {action}: it has changed too much since", hint=_AGAIN)
        case int() if 400 <= code < 500 and code not in (408, 429):
            return Rejected(said, hint="the Kubernetes API finds it wrong as it stands")
        case _:
            return Unreachable(f"{said} ({server})", hint=_AGAIN)


def _message(action: Action, status: Object) -> str:
    """The API's words; for a Secret only the names of fields, because the API may quote what it was sent."""
    message = str(status.get("message") or "")
    if action.kind == SECRET and status.get("code") in (400, 422):
        causes = _details(status).get("causes")
        fields = [str(cause.get("field")) for cause in causes if isinstance(cause, dict)] if causes else []
        return f"{status.get('reason')}: {', '.join(fields)}" if fields else str(status.get("reason") or "")
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def _details(status: Object) -> dict[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _not_found(action: Action, status: Object) -> NotFound:
    kind = action.kind
    if status.get("kind") != "Status":
        hint = "install Argo Workflows with its CRDs" if kind.group == "argoproj.io" else None
        return NotFound(f"the cluster does not know {kind.name} ({kind.api_version})", hint)
    if kind != NAMESPACE and _details(status).get("kind") == "namespaces":
        return NotFound(f"there is no namespace {action.namespace}", hint="make it, or name another by --namespace")
    place = f" in namespace {action.namespace}" if kind.namespaced else ""
    return NotFound(f"there is no {kind.name} {action.name}{place}")


def not_kubernetes(action: Action, server: str) -> Unreachable:
    """The error for an answer in another tongue, as of a proxy or a login page."""
    return Unreachable(
        f"cannot {action}: {server} does not answer as Kubernetes does",
        hint="check the server of this context in the kubeconfig, and proxies on the way",
    )


def from_silence(action: Action, server: str, error: BaseException) -> Unreachable:
    """The error for no answer at all, or one that broke off."""
    if is_tls_error(error):
        return Unreachable(
            f"cannot {action}: the certificate of {server} is not trusted, or it does not speak TLS",
            hint="check server and certificate-authority of this context in the kubeconfig",
        )
    return Unreachable(
        f"cannot {action}: no answer from {server}: {describe_failure(error)}",
        hint="check the network, and the context that the kubeconfig names",
    )
