"""Toolchains on the cluster: one ConfigMap `toolchain-<id>` with the ToolchainIntegration for each.

The built-in toolchains exist in every namespace. A toolchain on the cluster overrides the built-in one with the same ID.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from odahu_argo import document, naming
from odahu_argo.errors import AlreadyExists, Location, NotFound, Problem, UserError
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import CONFIG_MAP, Cluster, Object
from odahu_argo.manifest.load import parse_documents
from odahu_argo.manifest.models import ToolchainIntegration
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS

TOOLCHAIN_KEY = "toolchain.json"
_SELECTOR = {naming.TOOLCHAIN_ID_LABEL: ""}


def toolchain_to_config_map(toolchain: ToolchainIntegration) -> Object:
    """Return the ConfigMap of a toolchain."""
    manifest = {"kind": toolchain.kind, "id": toolchain.id, "spec": _spec(toolchain)}
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {
            "name": naming.toolchain_config_map(toolchain.id),
            "labels": {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.TOOLCHAIN_ID_LABEL: toolchain.id},
        },
        "data": {TOOLCHAIN_KEY: json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"},
    }


def read_toolchain(config_map: Object) -> ToolchainIntegration:
    """Parse the toolchain in a ConfigMap, as JSON or, after a manual edit, YAML.

    Raises:
        UserError: the ConfigMap does not contain exactly one valid toolchain with its ID. Reports all problems at once.
    """
    name = str(config_map["metadata"]["name"])
    source = f"ConfigMap {name}"
    manifests = parse_documents(document.parse(str((config_map.get("data") or {}).get(TOOLCHAIN_KEY) or ""), source))
    if manifests.problems:
        raise UserError(manifests.problems)
    toolchains = [written.manifest for written in manifests.toolchains]
    if len(toolchains) != 1 or naming.toolchain_config_map(toolchains[0].id) != name:
        message = f"{TOOLCHAIN_KEY} must contain one ToolchainIntegration with the id {toolchain_id(config_map)!r}"
        raise UserError(Problem(message, Location(source), "replace it with odahu-argo ti edit -f FILE"))
    return toolchains[0]


def toolchain_id(config_map: Object) -> str:
    """Return the ID of the toolchain in a ConfigMap."""
    return str(config_map["metadata"]["name"]).removeprefix(naming.toolchain_config_map(""))


def toolchain_to_api(toolchain: ToolchainIntegration, config_map: Object | None = None) -> dict[str, Any]:
    """Return the toolchain as in ODAHU's API. The times of a built-in toolchain, without a ConfigMap, are empty."""
    return {
        "kind": toolchain.kind,
        "id": toolchain.id,
        "createdAt": config_map["metadata"].get("creationTimestamp", "") if config_map else "",
        "updatedAt": kube_apply.last_change(config_map) if config_map else "",
        "spec": _spec(toolchain),
        "status": {},
    }


def list_toolchains(cluster: Cluster) -> list[dict[str, Any]]:
    """Return all toolchains as in ODAHU's API, built-in ones included, sorted by ID.

    Raises:
        UserError: a ConfigMap does not contain a valid toolchain.
        Forbidden, Unreachable: ConfigMaps cannot be listed.
    """
    toolchains = {name: toolchain_to_api(toolchain) for name, toolchain in BUILT_IN_TOOLCHAINS.items()}
    for config_map in cluster.list(CONFIG_MAP, _SELECTOR).items:
        toolchain = read_toolchain(config_map)
        toolchains[toolchain.id] = toolchain_to_api(toolchain, config_map)
    return [toolchains[name] for name in sorted(toolchains)]


def registered_toolchains(cluster: Cluster, required: Collection[str]) -> tuple[ToolchainIntegration, ...]:
    """Return the toolchains on the cluster. Invalid ones are skipped unless they are `required`.

    Raises:
        UserError: a required toolchain is invalid.
        Forbidden, Unreachable: ConfigMaps cannot be listed.
    """
    toolchains: list[ToolchainIntegration] = []
    problems: list[Problem] = []
    for config_map in cluster.list(CONFIG_MAP, _SELECTOR).items:
        try:
            toolchains.append(read_toolchain(config_map))
        except UserError as error:
            if toolchain_id(config_map) in required:
                problems += error.problems
    if problems:
        raise UserError(problems)
    return tuple(toolchains)


def get_toolchain(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return a toolchain on the cluster, or else a built-in one, as in ODAHU's API.

    Raises:
        NotFound: the toolchain does not exist.
        UserError: the ConfigMap does not contain a valid toolchain.
    """
    try:
        config_map = find_toolchain(cluster, name)
    except NotFound:
        if name not in BUILT_IN_TOOLCHAINS:
            raise
        return toolchain_to_api(BUILT_IN_TOOLCHAINS[name])
    return toolchain_to_api(read_toolchain(config_map), config_map)


def find_toolchain(cluster: Cluster, name: str) -> Object:
    """Return the ConfigMap of a toolchain.

    Raises:
        NotFound: the toolchain does not exist on the cluster.
    """
    is_id = naming.ID_PATTERN.fullmatch(name)
    config_map = kube_apply.find(cluster, CONFIG_MAP, naming.toolchain_config_map(name)) if is_id else None
    if config_map is None:
        built_in = f": {name!r} is built in" if name in BUILT_IN_TOOLCHAINS else ""
        raise NotFound(
            f"there is no toolchain {name!r} in namespace {cluster.namespace}{built_in}",
            hint="list toolchains with odahu-argo ti get, create one with odahu-argo ti create -f FILE",
            entity=name,
        )
    return config_map


def require_known(cluster: Cluster, name: str) -> None:
    """Check that a toolchain exists on the cluster or is built in, so that it can be changed.

    Raises:
        NotFound: the toolchain does not exist.
    """
    if name not in BUILT_IN_TOOLCHAINS:
        find_toolchain(cluster, name)


def validate(cluster: Cluster, config_map: Object) -> None:
    """Check by a dry run that the API server accepts the ConfigMap.

    Raises:
        Rejected, Forbidden: the API server does not accept the ConfigMap.
        Unreachable: the API server does not respond.
    """
    cluster.apply(CONFIG_MAP, config_map, dry_run=True)


def apply(cluster: Cluster, config_map: Object) -> Outcome:
    """Create or update the ConfigMap of a toolchain."""
    return kube_apply.apply(cluster, CONFIG_MAP, config_map)


def create(cluster: Cluster, config_map: Object, dry_run: bool = False) -> None:
    """Create the ConfigMap of a toolchain. With `dry_run`, the API server only validates the request.

    Raises:
        AlreadyExists: the toolchain exists; it is unchanged.
    """
    try:
        cluster.create(CONFIG_MAP, config_map, dry_run)
    except AlreadyExists as error:
        raise AlreadyExists(
            f"toolchain {toolchain_id(config_map)!r} already exists in namespace {cluster.namespace}",
            hint="update it with odahu-argo ti edit -f FILE, or keep it with --ignore-if-exists",
            entity=toolchain_id(config_map),
        ) from error


def delete(cluster: Cluster, name: str) -> None:
    """Delete the ConfigMap of a toolchain. Submitted workflows are not affected.

    Raises:
        NotFound: the toolchain does not exist on the cluster.
    """
    config_map = find_toolchain(cluster, name)
    cluster.delete(CONFIG_MAP, config_map["metadata"]["name"], config_map["metadata"]["uid"])


def _spec(toolchain: ToolchainIntegration) -> dict[str, Any]:
    return toolchain.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
