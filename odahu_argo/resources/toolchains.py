"""Toolchains on a cluster: a ConfigMap `toolchain-<id>` for each, which holds the ToolchainIntegration as it was written.

The toolchains that are built in are known everywhere; one on the cluster takes the place of the built-in one of its id.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from odahu_argo import document, naming
from odahu_argo.errors import AlreadyExists, NotFound, Problem, UserError, Where
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import CONFIG_MAP, Cluster, Object
from odahu_argo.manifest.load import read_documents
from odahu_argo.manifest.models import ToolchainIntegration
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS

KEY = "toolchain.json"
SELECTOR = {naming.TOOLCHAIN_ID_LABEL: ""}


def toolchain_to_config_map(toolchain: ToolchainIntegration) -> Object:
    """The ConfigMap of a toolchain."""
    spec = toolchain.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    written = {"kind": toolchain.kind, "id": toolchain.id, "spec": spec}
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {
            "name": naming.toolchain_config_map(toolchain.id),
            "labels": {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TOOLCHAIN_ID_LABEL: toolchain.id},
        },
        "data": {KEY: json.dumps(written, indent=2, ensure_ascii=False) + "\n"},
    }


def read_toolchain(config_map: Object) -> ToolchainIntegration:
    """The toolchain that a ConfigMap holds; someone may have changed it by hand, also to YAML.

    Raises:
        UserError: with every mistake in it.
    """
    name = str(config_map["metadata"]["name"])
    place = f"ConfigMap {name}"
    manifests = read_documents(document.parse(str((config_map.get("data") or {}).get(KEY) or ""), place))
    if manifests.problems:
        raise UserError(manifests.problems)
    found = [each.manifest for each in manifests.toolchains]
    if len(found) != 1 or naming.toolchain_config_map(found[0].id) != name:
        message = f"its {KEY} must hold one ToolchainIntegration, of the id {toolchain_id(config_map)!r}"
        raise UserError(Problem(message, Where(place), "odahu-argo ti edit -f FILE writes it anew"))
    return found[0]


def toolchain_id(config_map: Object) -> str:
    """The toolchain that a ConfigMap is there for."""
    return str(config_map["metadata"]["name"]).removeprefix(naming.toolchain_config_map(""))


def toolchain_form(toolchain: ToolchainIntegration, config_map: Object | None = None) -> dict[str, Any]:
    """The toolchain in the form of ODAHU's API. One that is built in has no ConfigMap, and so no times."""
    return {
        "kind": toolchain.kind,
        "id": toolchain.id,
        "createdAt": config_map["metadata"].get("creationTimestamp", "") if config_map else "",
        "updatedAt": kube_apply.changed(config_map) if config_map else "",
        "spec": toolchain.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True),
        "status": {},
    }


def list_toolchains(cluster: Cluster) -> list[dict[str, Any]]:
    """Every toolchain that a training may name, by id: the cluster's, and those built in, in the form of ODAHU's API.

    Raises:
        UserError: a ConfigMap holds no toolchain.
        Forbidden, Unreachable: ConfigMaps cannot be listed.
    """
    forms = {name: toolchain_form(toolchain) for name, toolchain in BUILT_IN_TOOLCHAINS.items()}
    for config_map in cluster.list(CONFIG_MAP, SELECTOR).items:
        toolchain = read_toolchain(config_map)
        forms[toolchain.id] = toolchain_form(toolchain, config_map)
    return [forms[name] for name in sorted(forms)]


def get_toolchain(cluster: Cluster, wanted: str) -> dict[str, Any]:
    """One toolchain in the form of ODAHU's API, be it the cluster's or built in.

    Raises:
        NotFound: there is none.
        UserError: its ConfigMap holds none.
    """
    try:
        config_map = find_toolchain(cluster, wanted)
    except NotFound:
        if wanted not in BUILT_IN_TOOLCHAINS:
            raise
        return toolchain_form(BUILT_IN_TOOLCHAINS[wanted])
    return toolchain_form(read_toolchain(config_map), config_map)


def find_toolchain(cluster: Cluster, wanted: str) -> Object:
    """The ConfigMap of a toolchain.

    Raises:
        NotFound: the cluster has none.
    """
    is_id = naming.ID_PATTERN.fullmatch(wanted)
    found = kube_apply.find(cluster, CONFIG_MAP, naming.toolchain_config_map(wanted)) if is_id else None
    if found is None:
        is_built_in = f": {wanted!r} is built in" if wanted in BUILT_IN_TOOLCHAINS else ""
        raise NotFound(
            f"there is no toolchain {wanted!r} in namespace {cluster.namespace}{is_built_in}",
            hint="odahu-argo ti get lists them, odahu-argo ti create -f FILE makes one",
        )
    return found


def registered(cluster: Cluster, wanted: Collection[str]) -> tuple[ToolchainIntegration, ...]:
    """The cluster's toolchains. One that cannot be read is left out, unless it is wanted.

    Raises:
        UserError: with the mistakes of those that are wanted.
        Forbidden, Unreachable: ConfigMaps cannot be listed.
    """
    toolchains: list[ToolchainIntegration] = []
    problems: list[Problem] = []
    for config_map in cluster.list(CONFIG_MAP, SELECTOR).items:
        try:
            toolchains.append(read_toolchain(config_map))
        except UserError as error:
            problems += error.problems if toolchain_id(config_map) in wanted else ()
    if problems:
        raise UserError(problems)
    return tuple(toolchains)


def check(cluster: Cluster, config_map: Object) -> None:
    """See that the API would take the ConfigMap.

    Raises:
        UserError: it would not.
        Unreachable: it does not answer.
    """
    cluster.apply(CONFIG_MAP, config_map, dry_run=True)


def apply(cluster: Cluster, config_map: Object) -> Outcome:
    """Create a toolchain's ConfigMap or bring it up to date."""
    return kube_apply.apply(cluster, CONFIG_MAP, config_map)


def require_known(cluster: Cluster, wanted: str) -> None:
    """See that a toolchain can be changed: that it is there, or built in.

    Raises:
        NotFound: it is not.
    """
    if wanted not in BUILT_IN_TOOLCHAINS:
        find_toolchain(cluster, wanted)


def create(cluster: Cluster, config_map: Object, dry_run: bool = False) -> None:
    """Create a toolchain's ConfigMap; with `dry_run` only see whether the API would.

    Raises:
        AlreadyExists: there is one; it was not touched.
    """
    try:
        cluster.create(CONFIG_MAP, config_map, dry_run)
    except AlreadyExists as error:
        raise AlreadyExists(
            f"there is a toolchain {toolchain_id(config_map)!r} in namespace {cluster.namespace}",
            hint="odahu-argo ti edit -f FILE changes it, --ignore-if-exists leaves it as it is",
        ) from error


def delete(cluster: Cluster, wanted: str) -> None:
    """Delete a toolchain's ConfigMap. Workflows that were made with it go on.

    Raises:
        NotFound: the cluster has none.
    """
    found = find_toolchain(cluster, wanted)
    cluster.delete(CONFIG_MAP, found["metadata"]["name"], found["metadata"]["uid"])
