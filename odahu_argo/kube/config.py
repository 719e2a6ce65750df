"""Connection settings of a cluster: a kubeconfig context, or the service account of the pod.

The `kubernetes` package loads files, credentials, TLS settings and proxies. This module adds what it lacks: user
impersonation, reloading of rejected credentials, and errors that quote no secret.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import ConfigNode, KubeConfigLoader, KubeConfigMerger
from urllib3 import PoolManager, disable_warnings, make_headers
from urllib3.exceptions import InsecureRequestWarning

from odahu_argo.errors import Forbidden, Location, Problem, UserError
from odahu_argo.http import is_loopback

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MAX_CONNECTIONS = 16
"""Connections kept open per cluster."""
EXPIRY_MARGIN = timedelta(seconds=10)
_MAX_MESSAGE_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Connection settings. `source` describes where they come from, and `reload` reads them again from there.

    `expires_at` is the end of validity of credentials from a plug-in.
    """

    source: str
    namespace: str
    configuration: Configuration = field(repr=False)
    reload: Callable[[], ClusterConfig] = field(repr=False)
    impersonation: tuple[tuple[str, str], ...] = ()
    expires_at: datetime | None = None

    @property
    def server(self) -> str:
        """Return the URL of the API server."""
        return str(self.configuration.host)

    @property
    def is_expired(self) -> bool:
        """Return whether the credentials have expired or are about to."""
        return self.expires_at is not None and datetime.now(UTC) > self.expires_at - EXPIRY_MARGIN

    @property
    def certificate(self) -> str | None:
        """Return the path of the client certificate."""
        path = self.configuration.cert_file
        return None if path is None else str(path)

    def authorization(self) -> str | None:
        """Return the value of the `Authorization` header.

        Raises:
            Forbidden: the token cannot be read or contains invalid characters.
        """
        try:
            settings: Any = self.configuration.auth_settings()
        except Exception as error:
            raise Forbidden(
                f"cannot read the token of {self.source} ({type(error).__name__})", "log in again"
            ) from None
        value = str(settings.get("BearerToken", {}).get("value") or "").strip()
        if not (value.isascii() and value.isprintable()):
            raise Forbidden(f"the token of {self.source} contains invalid characters", "log in again")
        return value or None

    def connection_pool(self) -> PoolManager:
        """Return a new pool of connections with the TLS and proxy settings."""
        try:
            pool: PoolManager = RESTClientObject(self.configuration).pool_manager
            if self.server.startswith("https"):
                pool.connection_pool_kw["ssl_context"] = _tls_context(self.configuration)
        except ImportError:
            raise UserError(f"{self.source} uses a SOCKS proxy", hint="install the package PySocks") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            raise _unusable(self.source, f"certificate or key cannot be loaded ({reason})") from None
        return pool


def load_config(context: str | None = None) -> ClusterConfig:
    """Load a context, by default the current one, from the files in `KUBECONFIG` or from `~/.kube/config`.

    Without a kubeconfig, use the service account of the pod.

    Raises:
        UserError: no kubeconfig exists, it is invalid, or it lacks the context.
        Forbidden: the credential plug-in of the context fails.
    """
    variable = os.environ.get("KUBECONFIG", "")
    paths = [Path(part).expanduser() for part in (variable or "~/.kube/config").split(os.pathsep) if part]
    if files := [str(path) for path in paths if path.is_file() and path.stat().st_size]:
        return _from_files(files, context)
    if variable:
        raise UserError(f"kubeconfig {variable} does not exist or is empty", hint="set KUBECONFIG to an existing file")
    if context is not None:
        raise UserError(f"no kubeconfig contains context {context}", hint="set KUBECONFIG to an existing file")
    if (SERVICE_ACCOUNT / "token").is_file() and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster()
    raise UserError(
        "no cluster is configured: there is no kubeconfig, and this is not a pod with a service account",
        hint="set KUBECONFIG to your cluster's kubeconfig, or save it as ~/.kube/config",
    )


def _in_cluster() -> ClusterConfig:
    """https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api"""
    configuration = Configuration()
    try:
        InClusterConfigLoader(str(SERVICE_ACCOUNT / "token"), str(SERVICE_ACCOUNT / "ca.crt")).load_and_set(
            configuration
        )
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except (ConfigException, OSError, ValueError) as error:
        raise UserError(f"the pod's service account cannot be used: {error}") from None
    _complete(configuration)
    return ClusterConfig("the pod's service account", namespace or "default", configuration, _in_cluster)


def _from_files(files: Sequence[str], context: str | None) -> ClusterConfig:
    merger, current = _merge(files)
    name = context or current
    source = f"context {name} of {os.pathsep.join(files)}"
    selected, cluster, user = _select(merger.config, name, files)
    credentials = user.value if user else {}
    impersonation = tuple(_impersonation_headers(credentials, source))
    expires_at = None
    if user and credentials.get("exec") and not credentials.keys() & {"token", "tokenFile", "auth-provider"}:
        expires_at = _run_plugin(user, cluster, source)
    configuration = Configuration()
    try:
        loader = KubeConfigLoader(
            merger.config, name, config_base_path=None, config_persister=None if expires_at else merger.save_changes
        )
        loader.load_and_set(configuration)
    except Exception as error:
        # Messages of the package may quote the whole user entry.
        is_file_missing = str(error).startswith("File does not exist")
        reason = str(error) if is_file_missing else f"invalid credentials or certificates ({type(error).__name__})"
        raise _unusable(source, reason) from None
    if credentials.get("auth-provider") and not configuration.api_key:
        raise _unusable(source, "its auth-provider is not supported or returns no token")
    _complete(configuration, cluster.value.get("proxy-url"))
    namespace = str(selected.value.get("namespace") or "default")
    reload = partial(_from_files, files, name)
    return ClusterConfig(source, namespace, configuration, reload, impersonation, expires_at)


def _merge(files: Sequence[str]) -> tuple[KubeConfigMerger, str]:
    """Merge kubeconfig files as kubectl does: the first file that defines an entry or the current context wins."""
    try:
        merger = KubeConfigMerger(os.pathsep.join(files))
        contexts = (config.get("current-context") for config in merger.config_files.values())
        return merger, str(next(filter(None, contexts), ""))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = Location(mark.name, mark.line + 1) if mark else Location(os.pathsep.join(files))
        raise UserError(Problem("invalid YAML", location, "correct the kubeconfig")) from None
    except OSError as error:
        raise UserError(f"cannot read kubeconfig {error.filename}: {error.strerror}") from None
    except Exception:
        raise UserError(f"{os.pathsep.join(files)} is not a valid kubeconfig", hint="check KUBECONFIG") from None


def _select(config: ConfigNode, name: str, files: Sequence[str]) -> tuple[ConfigNode, ConfigNode, ConfigNode | None]:
    """Return a context with its cluster and user."""
    place = os.pathsep.join(files)
    contexts = _entries(config, "contexts", "context")
    context = contexts.get(name)
    if context is None:
        available = f"{place} has {', '.join(sorted(contexts)) or 'no contexts'}"
        if name:
            raise UserError(f"context {name} does not exist", hint=available)
        raise UserError(
            "no context is selected", hint=f"run `kubectl config use-context`, or use --context; {available}"
        )
    cluster = _entries(config, "clusters", "cluster").get(str(context.value.get("cluster")))
    if cluster is None or not cluster.value.get("server"):
        raise _unusable(f"context {name} of {place}", "it has no cluster with a server")
    user_name = context.value.get("user")
    user = _entries(config, "users", "user").get(str(user_name))
    if user_name and user is None:
        raise _unusable(f"context {name} of {place}", f"user {user_name} does not exist")
    return context, cluster, user


def _entries(config: ConfigNode, group: str, field: str) -> dict[str, ConfigNode]:
    """Return the valid named entries of one kind."""
    items = [item for item in config.value[group] if isinstance(item.value, dict)]
    return {str(item.value.get("name")): item[field] for item in items if isinstance(item.value.get(field), dict)}


def _run_plugin(user: ConfigNode, cluster: ConfigNode, source: str) -> datetime | None:
    """Run the user's credential plug-in, put its credentials into the user's fields, and return their expiry.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
    """
    plugin = user["exec"]
    try:
        status = ExecProvider(plugin, str(Path(user.path).absolute().parent), cluster).run()
        token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
        if not token and not (certificate and key):
            raise ConfigException("it returned neither a token nor a certificate with its key")
        expiry = status.get("expirationTimestamp")
        expires_at = datetime.fromisoformat(expiry).astimezone(UTC) if expiry else None
    except Exception as error:
        reason = str(error) if isinstance(error, ConfigException) else getattr(error, "strerror", None)
        command, hint = (plugin.value.get(name) for name in ("command", "installHint")) if plugin else (None, None)
        raise Forbidden(
            f"the credential plug-in {command} of {source} failed: {reason or 'invalid output'}"[:_MAX_MESSAGE_LENGTH],
            hint=hint or "install it or log in with it; `kubectl auth whoami` tests it",
        ) from None
    del user.value["exec"]
    if token:
        user.value["token"] = token
    if certificate and key:
        user.value["client-certificate-data"] = b64encode(certificate.encode()).decode()
        user.value["client-key-data"] = b64encode(key.encode()).decode()
    return expires_at


def _impersonation_headers(user: Mapping[str, Any], source: str) -> Iterator[tuple[str, str]]:
    """Yield the headers for `as`, `as-uid`, `as-groups` and `as-user-extra`; a name may occur several times.

    https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
    """
    fields: list[tuple[str, Any]] = [("Impersonate-User", user.get("as")), ("Impersonate-Uid", user.get("as-uid"))]
    fields += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    for name, values in (user.get("as-user-extra") or {}).items():
        fields += [(f"Impersonate-Extra-{quote(str(name).lower(), safe='')}", value) for value in values or ()]
    headers = [(name, str(value).strip()) for name, value in fields if value]
    if headers and not user.get("as"):
        raise _unusable(source, "as-uid, as-groups and as-user-extra require `as`")
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            raise _unusable(source, f"the {name} header cannot contain {value!r}")
        yield name, value


def _complete(configuration: Configuration, proxy_url: str | None = None) -> None:
    """Set pool size and proxy as kubectl does: `proxy-url` ignores NO_PROXY, and loopback addresses need no proxy."""
    configuration.connection_pool_maxsize = MAX_CONNECTIONS
    if proxy_url:
        configuration.no_proxy = ""
    elif is_loopback(urlsplit(configuration.host).hostname or ""):
        configuration.proxy = None
    if proxy := configuration.proxy:
        configuration.proxy = proxy if "://" in proxy else f"http://{proxy}"
        account, separator, _ = urlsplit(configuration.proxy).netloc.rpartition("@")
        if separator:
            configuration.proxy_headers = make_headers(proxy_basic_auth=unquote(account))


def _tls_context(configuration: Configuration) -> ssl.SSLContext:
    """Return a context for the certificates of the configuration.

    Like kubectl, it accepts authorities that Python 3.13's default flag VERIFY_X509_STRICT rejects.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        disable_warnings(InsecureRequestWarning)
    elif configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    return context


def _unusable(source: str, reason: str) -> UserError:
    return UserError(f"{source} cannot be used: {reason}", hint="run `kubectl config view` and correct the kubeconfig")
