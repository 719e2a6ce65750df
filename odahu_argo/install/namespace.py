"""Objects that a namespace needs for trainings: print them for kubectl, or install them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from odahu_argo import naming
from odahu_argo.compile.emit import quote_yaml
from odahu_argo.kube import apply as kube_apply
from odahu_argo.kube.apply import Outcome
from odahu_argo.kube.cluster import (
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Cluster,
    Object,
)
from odahu_argo.profile import Profile
from odahu_argo.templates import render

_KINDS = {
    kind.name: kind
    for kind in (
        NAMESPACE,
        SERVICE_ACCOUNT,
        ROLE,
        ROLE_BINDING,
        CONFIG_MAP,
        PERSISTENT_VOLUME_CLAIM,
        DEPLOYMENT,
        SERVICE,
        INGRESS,
    )
}


@dataclass(frozen=True, slots=True)
class InstalledObject:
    """Object on the cluster, and whether it was created, changed or unchanged."""

    kind: str
    name: str
    outcome: Outcome


def namespace_manifests(profile: Profile, namespace: str, profile_text: str | None) -> str:
    """Return the objects for `namespace` as YAML documents, with the Namespace itself if the profile specifies it.

    `profile_text` is the content of the profile file, which is stored unchanged in a ConfigMap.
    """
    return render(
        "setup.yaml.j2",
        profile=profile,
        namespace=namespace,
        profile_config_map=naming.PROFILE_CONFIG_MAP,
        profile_key=naming.PROFILE_KEY,
        profile_scalar=None if profile_text is None else _yaml_scalar(profile_text),
        recorder=naming.RECORDER,
    )


def _yaml_scalar(text: str) -> str:
    """Return the text as a YAML literal block to be indented, or quoted if a block would not preserve it."""
    is_block = text.strip() and text[0] not in " \n" and text.endswith("\n") and not text[:-1].endswith((" ", "\n"))
    if is_block and all(character.isprintable() or character == "\n" for character in text):
        return f"|\n{text[:-1]}"
    return quote_yaml(text)


def install_namespace(cluster: Cluster, manifests: str) -> Iterator[InstalledObject]:
    """Apply the objects of `namespace_manifests`, after a dry run of all of them.

    A new namespace is created before the dry run, because the API server validates the other objects against it.

    Raises:
        Forbidden, Rejected: the API server does not accept an object. At most an empty namespace was created.
        Unreachable: the API server does not respond.
    """
    objects: list[Object] = list(yaml.safe_load_all(manifests))
    namespaces = [body for body in objects if body["kind"] == NAMESPACE.name]
    if namespaces and kube_apply.find(cluster, NAMESPACE, cluster.namespace) is None:
        yield from _apply(cluster, namespaces)
        objects = [body for body in objects if body not in namespaces]
    yield from apply_objects(cluster, objects)


def apply_objects(cluster: Cluster, objects: list[Object]) -> Iterator[InstalledObject]:
    """Apply objects to an existing namespace, after a dry run of all of them.

    Raises:
        Forbidden, Rejected: the API server does not accept an object. Nothing was changed.
        Unreachable: the API server does not respond.
    """
    for body in objects:
        cluster.apply(_KINDS[body["kind"]], body, dry_run=True)
    yield from _apply(cluster, objects)


def _apply(cluster: Cluster, objects: list[Object]) -> Iterator[InstalledObject]:
    for body in objects:
        outcome = kube_apply.apply(cluster, _KINDS[body["kind"]], body)
        yield InstalledObject(body["kind"], body["metadata"]["name"], outcome)
