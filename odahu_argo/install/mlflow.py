"""Installation of the MLflow server: check its Secrets, apply its objects, and add its URL to the profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from odahu_argo import naming
from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import Forbidden, Location, Problem, Unauthorized, UserError
from odahu_argo.install.mlflow_manifests import external_url, internal_url, server_manifests
from odahu_argo.install.mlflow_values import MlflowValues
from odahu_argo.install.namespace import InstalledObject, apply_objects
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.cluster import CONFIG_MAP, SECRET, Cluster, Object
from odahu_argo.manifest.models import ToolchainIntegration
from odahu_argo.profile import parse_profile
from odahu_argo.resources.connection_secret import secret_fields
from odahu_argo.resources.toolchains import read_toolchain, toolchain_to_config_map
from odahu_argo.storage.mlflow_access import KINDS


def install_mlflow(cluster: Cluster, values: MlflowValues) -> Iterator[InstalledObject]:
    """Apply the server and its toolchains, after a dry run of all objects.

    An existing toolchain keeps its entrypoint, image and variables, except for the tracking URI and an image in `values`.

    Raises:
        UserError: a Secret that the server needs is missing or unusable. Nothing was changed.
        Forbidden, Rejected: the API server does not accept an object. Nothing was changed.
        Unreachable: the API server does not respond.
    """
    _check_secrets(cluster, values)
    objects: list[Object] = list(yaml.safe_load_all(server_manifests(values, cluster.namespace)))
    yield from apply_objects(cluster, [_merge_toolchain(cluster, body) for body in objects])


def _check_secrets(cluster: Cluster, values: MlflowValues) -> None:
    problems: list[Problem] = []
    if connection := values.artifacts.connection:
        problems += _check_connection(connection, _read_secret(cluster, naming.connection_secret(connection)))
    if secret := values.database.secret:
        problems += _check_database(secret, values.database.key, _read_secret(cluster, secret))
    if problems:
        raise UserError(problems)


def _read_secret(cluster: Cluster, name: str) -> Mapping[str, str] | None:
    """Return the fields of a Secret: None if it does not exist, and no fields if it cannot be read."""
    try:
        secret = kube_apply.find(cluster, SECRET, name)
    except Unauthorized:
        raise
    except Forbidden:
        return {}
    return None if secret is None else secret_fields(secret)


def _check_connection(connection: str, fields: Mapping[str, str] | None) -> Iterator[Problem]:
    location = Location(field="artifacts.connection")
    if fields is None:
        hint = (
            "create it with odahu-argo conn apply -f FILE, or set artifacts.connection: '' to store artifacts on the"
            " PersistentVolumeClaim"
        )
        yield Problem(f"there is no connection {connection!r} in the namespace", location, hint)
    elif fields and fields.get("type") not in KINDS:
        kind = fields.get("type") or "(none)"
        yield Problem(f"connection {connection!r} has type {kind}", location, f"use one of type {', '.join(KINDS)}")


def _check_database(secret: str, key: str, fields: Mapping[str, str] | None) -> Iterator[Problem]:
    if fields is None:
        command = (
            f"kubectl create secret generic {secret} --from-literal={key}=postgresql://user:password@host/database"
        )
        yield Problem(f"there is no Secret {secret} in the namespace", Location(field="database.secret"), command)
    elif fields and not fields.get(key):
        keys = ", ".join(sorted(fields)) or "none"
        yield Problem(f"the Secret {secret} has no key {key}; its keys: {keys}", Location(field="database.key"))


def _merge_toolchain(cluster: Cluster, body: Object) -> Object:
    """Merge a toolchain's ConfigMap with the existing one on the cluster; return any other object unchanged."""
    if body["kind"] != CONFIG_MAP.name:
        return body
    config_map = kube_apply.find(cluster, CONFIG_MAP, body["metadata"]["name"])
    if config_map is None:
        return body
    existing, new = read_toolchain(config_map), read_toolchain(body)
    tracking_uri = new.spec.additional_environments[TRACKING_VARIABLE]
    update: dict[str, Any] = {
        "additional_environments": {**existing.spec.additional_environments, TRACKING_VARIABLE: tracking_uri}
    }
    if new.spec.default_image:
        update["default_image"] = new.spec.default_image
    merged = toolchain_to_config_map(ToolchainIntegration(id=existing.id, spec=existing.spec.model_copy(update=update)))
    return {**merged, "metadata": {**merged["metadata"], "namespace": cluster.namespace}}


def add_to_profile(cluster: Cluster, values: MlflowValues) -> str | None:
    """Add the server's URLs as `tracking` to the profile on the cluster, if it does not specify a server yet.

    The rest of the profile is preserved, comments included. Returns a note for the user: the change, or what to set if
    the profile does not exist, cannot be changed, or specifies another server. None if the profile specifies this server.

    Raises:
        Unreachable: the API server does not respond.
        UserError: the profile contains unknown or invalid settings.
    """
    url = external_url(values)
    settings = {"uri": internal_url(values, cluster.namespace), **({"url": url} if url else {})}
    setting = f"tracking: {{{', '.join(f'{name}: {value!r}' for name, value in settings.items())}}}"
    try:
        return _add_tracking(cluster, settings, setting)
    except Unauthorized:
        raise
    except Forbidden:
        return f"no permission to change the profile on the cluster; add to it: {setting}"


def _add_tracking(cluster: Cluster, settings: Mapping[str, str], setting: str) -> str | None:
    config_map = kube_apply.find(cluster, CONFIG_MAP, naming.PROFILE_CONFIG_MAP)
    if config_map is None:
        return f"add to the profile (docs/reference/profile.md): {setting}"
    source = f"ConfigMap {naming.PROFILE_CONFIG_MAP}"
    text = str((config_map.get("data") or {}).get(naming.PROFILE_KEY) or "")
    profile = parse_profile(text, source)
    if profile.tracking.uri == settings["uri"]:
        return None
    if profile.tracking.uri is not None:
        return f"{source} specifies another server, {profile.tracking.uri}, and was not changed; this server: {setting}"
    lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
    new_text = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}tracking:\n{lines}"
    expected = profile.model_copy(update={"tracking": profile.tracking.model_copy(update=dict(settings))})
    try:
        is_expected = parse_profile(new_text, source) == expected
    except UserError:
        is_expected = False
    if not is_expected:
        return f"{source} was not changed, because its format does not allow it; add to the profile: {setting}"
    cluster.patch(CONFIG_MAP, naming.PROFILE_CONFIG_MAP, {"data": {naming.PROFILE_KEY: new_text}})
    return f"added to {source}: {setting}; add it to the profile's file as well"
