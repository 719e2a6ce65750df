"""Which cluster is meant, and as whom: kubeconfig files as kubectl reads them, else the pod's own service account.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.kube.access import Access, Credentials, Fixed, bearer
from odahu_argo.kube.impersonation import impersonation
from odahu_argo.kube.kubeconfig_entry import Entry, Unusable
from odahu_argo.kube.pod_account import pod_access
from odahu_argo.kube.token_file import TokenFile

if TYPE_CHECKING:
    from ssl import SSLContext


def find_access(context: str | None = None) -> Access:
    """The context of that name, else the current one, of the files in KUBECONFIG or of ~/.kube/config; else the pod's own.

    Raises:
        UserError: there is no such file or context, or it is incomplete.
        Forbidden: the context's credential plug-in gives no credentials.
    """
    named = os.environ.get("KUBECONFIG", "")
    places = [Path(part).expanduser() for part in (named or "~/.kube/config").split(os.pathsep) if part]
    files = [place for place in places if place.is_file()]
    if files:
        return _from_files(files, context)
    if named:
        raise UserError(f"there is no kubeconfig {named}", hint="KUBECONFIG names it; set it to a file that is there")
    if context is not None:
        raise UserError(f"there is no context {context}: there is no kubeconfig", hint="set KUBECONFIG to its file")
    if access := pod_access():
        return access
    raise UserError(
        "no cluster is known: there is no kubeconfig, and this is no pod with a service account",
        hint="set KUBECONFIG to your cluster's kubeconfig, or put it at ~/.kube/config",
    )


@dataclass(frozen=True, slots=True)
class _Context:
    """A context with the cluster and the user that it names."""

    name: str
    place: str
    namespace: str
    cluster: Entry
    user: Entry

    @property
    def origin(self) -> str:
        return f"context {self.name} of {self.place}"


def _from_files(files: list[Path], asked: str | None) -> Access:
    context = _context(files, asked)
    cluster = context.cluster
    server = cluster.text("server").rstrip("/")
    try:
        trust = _trust(cluster, context.user) if server.startswith("https://") else None
        return Access(
            server if "://" in server else f"http://{server}",
            context.namespace,
            context.origin,
            _credentials(context, trust),
            trust,
            cluster.text("tls-server-name"),
            cluster.text("proxy-url"),
            impersonation(context.user),
        )
    except Unusable as error:
        raise UserError(
            f"{context.origin} cannot be used: {error}",
            hint=f"look at `kubectl config view --context {context.name}`: certificates, tokens and their files",
        ) from None


def _context(files: list[Path], asked: str | None) -> _Context:
    documents = [(_read(file), file.absolute().parent) for file in files]
    place = os.pathsep.join(str(file) for file in files)
    current = (str(each["current-context"]) for each, _ in documents if each.get("current-context"))
    chosen = asked or next(current, "")
    contexts, clusters, users = (_entries(documents, f"{each}s", each) for each in ("context", "cluster", "user"))
    context = contexts.get(chosen)
    if context is None:
        raise _no_context(chosen, sorted(contexts), place)
    cluster, user = clusters.get(context.text("cluster")), context.text("user")
    if cluster is None or not cluster.text("server"):
        raise UserError(
            f"{place}: context {chosen} has no cluster with a server", hint="look at `kubectl config view` and mend it"
        )
    if user and user not in users:
        raise UserError(
            f"context {chosen} of {place} cannot be used: there is no user {user}",
            hint="look at `kubectl config view` and mend it",
        )
    return _Context(chosen, place, context.text("namespace") or "default", cluster, users.get(user, Entry()))


def _trust(cluster: Entry, user: Entry) -> SSLContext:
    from odahu_argo.kube.tls import show, trusting, trusting_anybody

    is_trusting = cluster.is_on("insecure-skip-tls-verify")
    trust = trusting_anybody() if is_trusting else trusting(cluster.content("certificate-authority"))
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if certificate and key:
        show(trust, certificate, key)
    elif certificate or key:
        raise Unusable("its client-certificate and client-key need each other")
    return trust


def _credentials(context: _Context, trust: SSLContext | None) -> Credentials:
    """By the first of the ways that the user has, in kubectl's order."""
    user = context.user
    if user.part("auth-provider").values:
        from odahu_argo.kube.auth_provider import Provided

        return Provided(context.place, context.name, context.origin)
    if user.text("tokenFile"):
        return TokenFile(user.path("tokenFile"), context.origin)
    if user.text("token"):
        return Fixed(bearer(user.text("token")))
    if user.part("exec").values:
        from odahu_argo.kube.exec_plugin import Plugin

        return Plugin(user.part("exec"), context.cluster, trust, context.origin)
    if user.text("username"):
        from base64 import b64encode

        pair = f"{user.text('username')}:{user.values.get('password') or ''}".encode()
        return Fixed({"Authorization": f"Basic {b64encode(pair).decode()}"})
    return Fixed()


def _read(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise UserError(Problem("this is no YAML", Where(str(file), line), "mend the kubeconfig")) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read ({type(error).__name__})", hint="KUBECONFIG names another") from None
    if not isinstance(document, dict):
        raise UserError(f"{file} is no kubeconfig", hint="KUBECONFIG names another")
    return document


def _entries(documents: list[tuple[dict[str, Any], Path]], group: str, field: str) -> dict[str, Entry]:
    """The named entries of one kind; the first file that has a name counts, as for kubectl."""
    found: dict[str, Entry] = {}
    for document, folder in documents:
        entries = document.get(group)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get(field), dict):
                found.setdefault(str(entry.get("name")), Entry(entry[field], folder))
    return found


def _no_context(chosen: str, known: list[str], place: str) -> UserError:
    has = f"{place} has {', '.join(known)}" if known else f"{place} has none"
    if chosen:
        return UserError(f"there is no context {chosen}", hint=has)
    return UserError("no context is chosen", hint=f"`kubectl config use-context`, or name one; {has}")
