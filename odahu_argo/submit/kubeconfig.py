"""Which cluster is meant, and as whom: kubeconfig files as kubectl reads them, else the pod's own service account.

The `kubernetes` package reads them. Its messages may quote a whole user with the token, so none of them is passed on.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.errors import Problem, UserError, Where
from odahu_argo.submit.cluster import Denied

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Access:
    """A cluster's address with credentials for it: `configuration` is the `kubernetes` package's.

    `namespace` is the one that context or pod works in, `origin` says where all this was found, `plugin` is the
    program that hands out the credentials, if one does.
    """

    configuration: Any
    namespace: str
    origin: str
    plugin: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def headers(self) -> dict[str, str]:
        """What a request carries to say who asks; renewed where it would expire. From any thread.

        Raises:
            Denied: the credential plug-in fails, or the pod's token cannot be read.
        """
        with self._lock, _complaints() as complaints:
            try:
                settings = self.configuration.auth_settings()
            except Exception as error:
                raise Denied(f"the credentials of {self.origin} cannot be renewed ({type(error).__name__})") from None
        if complaints:
            raise _plugin_failed(self, complaints)
        headers = {
            each["key"]: str(each["value"] or "").strip() for each in settings.values() if each["in"] == "header"
        }
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Denied(f"the token of {self.origin} holds characters that no token has", hint="log in again")
        return {key: value for key, value in headers.items() if value}


def find_access(context: str | None = None) -> Access:
    """The context of that name, else the current one, of the files in KUBECONFIG or of ~/.kube/config; else the pod's own.

    Raises:
        UserError: there is no such file or context, or it is incomplete.
        Denied: the context's credential plug-in gives no credentials.
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
    return _from_pod()


def _from_pod() -> Access:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
        namespace = POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except (config.ConfigException, OSError):
        raise UserError(
            "no cluster is known: there is no kubeconfig, and this is no pod with a service account",
            hint="set KUBECONFIG to your cluster's kubeconfig, or put it at ~/.kube/config",
        ) from None
    return Access(configuration, namespace or "default", "this pod's service account")


def _from_files(files: list[Path], asked: str | None) -> Access:
    from kubernetes import client, config

    documents = [_read(file) for file in files]
    place = os.pathsep.join(str(file) for file in files)
    chosen = asked or next((str(each["current-context"]) for each in documents if each.get("current-context")), "")
    context = _entries(documents, "contexts", "context").get(chosen)
    if context is None:
        raise _no_context(chosen, sorted(_entries(documents, "contexts", "context")), place)
    if not _entries(documents, "clusters", "cluster").get(str(context.get("cluster")), {}).get("server"):
        raise UserError(
            f"{place}: context {chosen} has no cluster with a server", hint="look at `kubectl config view` and mend it"
        )
    user = _entries(documents, "users", "user").get(str(context.get("user")), {})
    plugin = user.get("exec") if isinstance(user.get("exec"), dict) else {}
    access = Access(
        client.Configuration(),
        str(context.get("namespace") or "default"),
        f"context {chosen} of {place}",
        str((plugin or {}).get("command") or ""),
    )
    with _complaints() as complaints:
        try:
            config.load_kube_config(place, chosen, client_configuration=access.configuration)
        except Exception as error:
            missing = str(error) if str(error).startswith("File does not exist") else type(error).__name__
            raise UserError(
                f"{access.origin} cannot be used: {missing}",
                hint=f"look at `kubectl config view --context {chosen}`: certificates, tokens and their files",
            ) from None
    if complaints or (access.plugin and not (access.configuration.api_key or access.configuration.cert_file)):
        raise _plugin_failed(access, complaints)
    return access


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


def _entries(documents: list[dict[str, Any]], group: str, field: str) -> dict[str, dict[str, Any]]:
    """The named entries of one kind; the first file that has a name counts, as for kubectl."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        entries = document.get(group)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get(field), dict):
                found.setdefault(str(entry.get("name")), entry[field])
    return found


def _no_context(chosen: str, known: list[str], place: str) -> UserError:
    has = f"{place} has {', '.join(known)}" if known else f"{place} has none"
    if chosen:
        return UserError(f"there is no context {chosen}", hint=has)
    return UserError("no context is chosen", hint=f"`kubectl config use-context`, or name one; {has}")


def _plugin_failed(access: Access, complaints: list[str]) -> Denied:
    reason = " ".join(complaints).removeprefix("exec: ")[:_LONGEST_REASON]
    said = f": {reason}" if reason else ""
    return Denied(
        f"the credential plug-in {access.plugin or '(none)'} of {access.origin} gives no credentials{said}",
        hint="install it or log in with it; `kubectl auth whoami` tries it too",
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the kubernetes package's reader logs meanwhile: it logs a failed plug-in and goes on without credentials."""
    heard: list[str] = []

    def is_other(record: logging.LogRecord) -> bool:
        if record.module == "kube_config":
            heard.append(record.getMessage())
            return False
        return True

    root = logging.getLogger()
    root.addFilter(is_other)
    try:
        yield heard
    finally:
        root.removeFilter(is_other)
