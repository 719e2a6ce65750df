"""The MLflow server brought onto a cluster: what it needs is looked for first, what users have written is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from odahu_argo import naming
from odahu_argo.contract import TRACKING_VARIABLE
from odahu_argo.errors import Forbidden, Problem, Unauthorized, UserError, Where
from odahu_argo.install.mlflow_manifests import address, mlflow_text, public_address
from odahu_argo.install.mlflow_values import Values
from odahu_argo.install.namespace import Installed, install_objects
from odahu_argo.kube import apply
from odahu_argo.kube.cluster import CONFIG_MAP, SECRET, Cluster, Object
from odahu_argo.manifest.models import ToolchainIntegration
from odahu_argo.profile import parse
from odahu_argo.resources.connection_secret import fields_of
from odahu_argo.resources.toolchains import read_toolchain, toolchain_to_config_map
from odahu_argo.storage.mlflow_access import KINDS


def install(cluster: Cluster, values: Values) -> Iterator[Installed]:
    """Bring the server and its toolchains onto the cluster, none of it before the API would take all.

    A toolchain that is there keeps its program, image and variables; only where it keeps its records is set.

    Raises:
        UserError: a Secret that the server needs is not there or of no use; nothing was changed.
        Forbidden, Rejected: the API does not take one of the objects; nothing was changed.
        Unreachable: it does not answer.
    """
    _require(cluster, values)
    objects: list[Object] = list(yaml.safe_load_all(mlflow_text(values, cluster.namespace)))
    yield from install_objects(cluster, [_with_what_is_there(cluster, each) for each in objects])


def name_in_profile(cluster: Cluster, values: Values) -> str | None:
    """Write the server's addresses as `tracking` into the profile on the cluster, where that has a profile without it.

    What is there stays as it is written. Returned is what the user should know of it; None where all is well already.

    Raises:
        Unreachable: the API does not answer.
        UserError: the profile holds unknown or wrong settings.
    """
    uri, url = address(values, cluster.namespace), public_address(values)
    settings = {"uri": uri, **({"url": url} if url else {})}
    setting = f"tracking: {{{', '.join(f'{name}: {value!r}' for name, value in settings.items())}}}"
    try:
        return _name(cluster, settings, setting)
    except Unauthorized:
        raise
    except Forbidden:
        return f"the profile on the cluster may not be changed by you; set in it: {setting}"


def _name(cluster: Cluster, settings: Mapping[str, str], setting: str) -> str | None:
    found = apply.find(cluster, CONFIG_MAP, naming.PROFILE_CONFIG_MAP)
    if found is None:
        return f"set in the profile (docs/reference/profile.md): {setting}"
    text = str((found.get("data") or {}).get(naming.PROFILE_KEY) or "")
    place = f"ConfigMap {naming.PROFILE_CONFIG_MAP}"
    profile = parse(text, place)
    if profile.tracking.uri == settings["uri"]:
        return None
    if profile.tracking.uri is not None:
        return f"{place} names another server, {profile.tracking.uri}, and was left so; this one: {setting}"
    lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
    named = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}tracking:\n{lines}"
    expected = profile.model_copy(update={"tracking": profile.tracking.model_copy(update=dict(settings))})
    try:
        is_right = parse(named, place) == expected
    except UserError:
        is_right = False
    if not is_right:
        return f"{place} was left as it is; set in the profile: {setting}"
    cluster.patch(CONFIG_MAP, naming.PROFILE_CONFIG_MAP, {"data": {naming.PROFILE_KEY: named}})
    return f"{place} has now {setting}; put it into the profile's file as well"


def _with_what_is_there(cluster: Cluster, body: Object) -> Object:
    """A toolchain's ConfigMap with all that the one on the cluster says besides; any other object as it is."""
    if body["kind"] != CONFIG_MAP.name:
        return body
    found = apply.find(cluster, CONFIG_MAP, body["metadata"]["name"])
    if found is None:
        return body
    there, ours = read_toolchain(found), read_toolchain(body)
    variables = {
        **there.spec.additional_environments,
        TRACKING_VARIABLE: ours.spec.additional_environments[TRACKING_VARIABLE],
    }
    update: dict[str, Any] = {"additional_environments": variables}
    if ours.spec.default_image:
        update["default_image"] = ours.spec.default_image
    merged = ToolchainIntegration(id=there.id, spec=there.spec.model_copy(update=update))
    made = toolchain_to_config_map(merged)
    return {**made, "metadata": {**made["metadata"], "namespace": cluster.namespace}}


def _require(cluster: Cluster, values: Values) -> None:
    problems: list[Problem] = []
    if connection := values.artifacts.connection:
        problems += _of_connection(connection, _fields(cluster, naming.connection_secret(connection)))
    if secret := values.database.secret:
        problems += _of_database(secret, values.database.key, _fields(cluster, secret))
    if problems:
        raise UserError(problems)


def _of_connection(connection: str, fields: Mapping[str, str] | None) -> Iterator[Problem]:
    where = Where(field="artifacts.connection")
    if fields is None:
        hint = "odahu-argo conn apply -f FILE makes it; artifacts.connection: '' keeps artifacts on the claim"
        yield Problem(f"there is no connection {connection!r} in the namespace", where, hint)
    elif fields and fields.get("type") not in KINDS:
        kind = fields.get("type") or "(none)"
        yield Problem(f"connection {connection!r} is of type {kind}", where, f"take one of type {', '.join(KINDS)}")


def _of_database(secret: str, key: str, fields: Mapping[str, str] | None) -> Iterator[Problem]:
    if fields is None:
        made = f"kubectl create secret generic {secret} --from-literal={key}=postgresql://user:password@host/database"
        yield Problem(f"there is no Secret {secret} in the namespace", Where(field="database.secret"), made)
    elif fields and not fields.get(key):
        there = ", ".join(sorted(fields)) or "none"
        yield Problem(f"the Secret {secret} has no key {key}; its keys: {there}", Where(field="database.key"))


def _fields(cluster: Cluster, secret: str) -> Mapping[str, str] | None:
    """What the Secret holds; None where there is none, and nothing where it may not be read by us."""
    try:
        found = apply.find(cluster, SECRET, secret)
    except Unauthorized:
        raise
    except Forbidden:
        return {}
    return None if found is None else fields_of(found)
