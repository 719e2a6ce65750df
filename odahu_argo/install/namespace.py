"""What a namespace needs before its first training: printed for kubectl, or installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from odahu_argo import naming
from odahu_argo.compile.emit import quoted
from odahu_argo.kube import apply
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
from odahu_argo.templates import fill

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


def setup_text(profile: Profile, namespace: str, profile_text: str | None) -> str:
    """All objects as YAML, each of `namespace`, which is among them where the profile names it.

    `profile_text` is what the profile's file holds: it goes to the cluster as it is.
    """
    return fill(
        "setup.yaml.j2",
        profile=profile,
        namespace=namespace,
        profile_config_map=naming.PROFILE_CONFIG_MAP,
        profile_key=naming.PROFILE_KEY,
        profile_scalar=None if profile_text is None else _scalar(profile_text),
        recorder=naming.RECORDER,
    )


def _scalar(text: str) -> str:
    """The text as a value in YAML: a literal block, to be indented, or in quotes where its form would not survive that."""
    is_block = text.strip() and text[0] not in " \n" and text.endswith("\n") and not text[:-1].endswith((" ", "\n"))
    if is_block and all(character.isprintable() or character == "\n" for character in text):
        return f"|\n{text[:-1]}"
    return quoted(text)


@dataclass(frozen=True, slots=True)
class Installed:
    """An object that is there now."""

    kind: str
    name: str
    outcome: Outcome


def install(cluster: Cluster, text: str) -> Iterator[Installed]:
    """Bring the objects of `setup_text` onto the cluster by server-side apply, none before the API would take all.

    Where the namespace is not there yet, it comes first: without it the API cannot judge the others.

    Raises:
        Forbidden, Rejected: the API does not take one of them; nothing was changed, but that an empty namespace may be new.
        Unreachable: it does not answer.
    """
    objects: list[Object] = list(yaml.safe_load_all(text))
    spaces = [each for each in objects if each["kind"] == NAMESPACE.name]
    if spaces and apply.find(cluster, NAMESPACE, cluster.namespace) is None:
        yield from _apply(cluster, spaces)
        objects = [each for each in objects if each not in spaces]
    yield from install_objects(cluster, objects)


def install_objects(cluster: Cluster, objects: list[Object]) -> Iterator[Installed]:
    """Bring objects into a namespace that is there, none before the API would take all.

    Raises:
        Forbidden, Rejected: the API does not take one of them; nothing was changed.
        Unreachable: it does not answer.
    """
    for each in objects:
        cluster.apply(_KINDS[each["kind"]], each, dry_run=True)
    yield from _apply(cluster, objects)


def _apply(cluster: Cluster, objects: list[Object]) -> Iterator[Installed]:
    for each in objects:
        outcome = apply.apply(cluster, _KINDS[each["kind"]], each)
        yield Installed(each["kind"], each["metadata"]["name"], outcome)
