"""Files of a migrated installation: manifests, references to secrets, and other kinds unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odahu_argo import document
from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import parse_documents
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.migration.connections import SecretMode, migrate_connection, to_text
from odahu_argo.migration.export import OWN_KINDS, Export, Resource
from odahu_argo.naming import ID_PATTERN
from odahu_argo.plan.build import plan_trainings
from odahu_argo.profile import Profile
from odahu_argo.status.unstructured import mapping, sequence, text

DIRECTORIES = {"Connection": "connections", "ToolchainIntegration": "toolchains", "ModelTraining": "trainings"}
_CREDENTIAL_NAME = re.compile(r"(?i)(password|passwd|secret|token|credential|api_?key|access_?key)")


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that a person must decide: its file or resource, and what to do."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, what needs a decision, and the connections with secret values for a cluster.

    `secret_files` are the paths of files with secret values.
    """

    files: Mapping[str, str] = field(repr=False)
    decisions: Sequence[Decision]
    unchanged: Sequence[str]
    connections: Sequence[Connection] = field(repr=False)
    secret_files: frozenset[str] = frozenset()


def build_tree(export: Export, profile: Profile, secrets: SecretMode) -> Tree:
    """Return the files for an export.

    Secret values are only in the files of connections, and only if `secrets` is `files`. With `external`, each connection
    has an ExternalSecret, and with `apply` the connections are returned for a cluster.
    """
    files: dict[str, str] = {}
    decisions = [Decision("export", note) for note in export.notes]
    unchanged: list[str] = []
    connections: list[Connection] = []
    images = {resource.id: resource.spec.get("defaultImage") for resource in export.of("ToolchainIntegration")}
    for resource in export.resources:
        if not ID_PATTERN.fullmatch(resource.id):
            decisions.append(Decision(f"{resource.kind} {resource.id!r}", "not exported: the ID is not valid"))
        elif resource.kind not in OWN_KINDS:
            path = f"other/{resource.kind}/{resource.id}.yaml"
            files[path] = to_text(resource, resource.spec)
            unchanged.append(path)
        elif resource.kind == "Connection":
            migrated = migrate_connection(resource, profile, secrets)
            files |= migrated.files
            connections += [migrated.connection] if migrated.connection else []
            decisions += [Decision(f"connections/{resource.id}.yaml", migrated.decision)] if migrated.decision else []
        else:
            path = f"{DIRECTORIES[resource.kind]}/{resource.id}.yaml"
            files[path] = to_text(resource, _training_spec(resource, images))
            decisions += [Decision(path, note) for note in _notes(resource)]
    decisions += _check(files, profile)
    secret_files = {path for path in files if path.startswith("connections/")} if secrets == "files" else set()
    return Tree(files, decisions, unchanged, connections, frozenset(secret_files))


def _training_spec(resource: Resource, images: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec without the image that ODAHU filled in from the toolchain."""
    spec = {name: value for name, value in resource.spec.items() if value is not None}
    if resource.kind == "ModelTraining" and spec.get("image") == images.get(str(spec.get("toolchain"))):
        spec.pop("image", None)
    return spec


def _notes(resource: Resource) -> list[str]:
    """Return what a person should know about a training or toolchain."""
    if resource.kind == "ToolchainIntegration" and resource.id in BUILT_IN_TOOLCHAINS:
        image = resource.spec.get("defaultImage")
        return [f"overrides the built-in toolchain with the image {image}; delete the file to use the profile's image"]
    variables = sequence(resource.spec.get("envs"))
    names = [text(mapping(variable).get("name")) for variable in variables]
    suspicious = ", ".join(name for name in names if _CREDENTIAL_NAME.search(name))
    return (
        [f"the environment variables {suspicious} may be secrets; their values are in the file"] if suspicious else []
    )


def _check(files: Mapping[str, str], profile: Profile) -> list[Decision]:
    """Return the problems and warnings of all manifests, as `plan` reports them."""
    paths = [path for path in files if path.partition("/")[0] in DIRECTORIES.values()]
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents += document.parse(files[path], path)
        except UserError as error:
            problems += error.problems
    manifests = parse_documents(documents)
    problems += [*manifests.warnings, *manifests.problems]
    if manifests.trainings or manifests.invalid_trainings:
        try:
            plan_trainings(manifests, profile)
        except UserError as error:
            problems += error.problems
    return [_decision(problem) for problem in dict.fromkeys(problems)]


def _decision(problem: Problem) -> Decision:
    location = problem.location
    subject = f"{location.file}:{location.line}" if location.line else location.file or "manifests"
    return Decision(subject, problem.text_with_field)
