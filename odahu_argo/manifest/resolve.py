"""Resolution of a training's references: its toolchain and its connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import LoadedManifest, Manifests
from odahu_argo.manifest.models import (
    Connection,
    ModelTraining,
    ModelTrainingSpec,
    ToolchainIntegration,
    ToolchainIntegrationSpec,
)
from odahu_argo.manifest.relevance import may_contain, relevant_problems
from odahu_argo.profile import Profile
from odahu_argo.validation import exclude_reported, suggest
from odahu_argo.yaml_values import Path

STORE_TYPES = ("s3", "gcs", "azureblob")
BUILT_IN_TOOLCHAINS = {
    name: ToolchainIntegration.model_construct(id=name, spec=ToolchainIntegrationSpec.model_construct(entrypoint=name))
    for name in ("mlflow", "mlflow-project")
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run takes from connections: its source, its data (None: all; else indexes of `spec.data`) and its output.

    A run on a cluster needs everything; other connections of a training are neither checked nor part of its plan.
    """

    source: bool = True
    data: frozenset[int] | None = None
    output: bool = True


EVERYTHING = Needs()


@dataclass(frozen=True, slots=True)
class ResolvedTraining:
    """A training with its toolchain and connections. A connection that exists only on the cluster is None.

    `reported` lists the fields whose problems are already reported.
    """

    training: ModelTraining
    document: Document
    toolchain: ToolchainIntegration
    connections: Mapping[str, Connection | None]
    output_connection: str
    reported: frozenset[str] = frozenset()
    needs: Needs = EVERYTHING


@dataclass(frozen=True, slots=True)
class _Targets:
    """Toolchains and connections that trainings can refer to, by ID."""

    toolchains: Mapping[str, ToolchainIntegration]
    connections: Mapping[str, Connection]

    @classmethod
    def of(cls, manifests: Manifests) -> _Targets:
        """Collect the targets. Loaded toolchains take precedence over registered ones, and those over built-in ones."""
        registered = {toolchain.id: toolchain for toolchain in manifests.registered}
        loaded = {toolchain.manifest.id: toolchain.manifest for toolchain in manifests.toolchains}
        connections = {connection.manifest.id: connection.manifest for connection in manifests.connections}
        return cls(BUILT_IN_TOOLCHAINS | registered | loaded, connections)


def resolve(manifests: Manifests, profile: Profile, training_id: str | None = None) -> tuple[ResolvedTraining, ...]:
    """Resolve every training, or the one with ID `training_id`.

    Raises:
        UserError: the manifests that these trainings use have problems, there is no such training, or a connection or
            toolchain is missing or of the wrong type.
    """
    resolved, problems = resolve_with_problems(manifests, profile, training_id)
    if problems:
        raise UserError(problems)
    return tuple(resolved)


def resolve_with_problems(
    manifests: Manifests, profile: Profile, training_id: str | None, needs: Needs = EVERYTHING
) -> tuple[list[ResolvedTraining], list[Problem]]:
    """Resolve trainings, and return the problems of their manifests and of their references.

    Problems of manifests that these trainings do not use are left out. If there are any problems, the trainings may be
    incomplete and serve only for further checks.
    """
    trainings, problems = select_trainings(manifests, training_id)
    trainings += [loaded for loaded in manifests.invalid_trainings if training_id in (None, loaded.manifest.id)]
    if not trainings:
        return [], problems or list(manifests.problems)
    targets = _Targets.of(manifests)
    for loaded in trainings:
        problems += exclude_reported(_check_references(loaded, manifests, targets, profile, needs), loaded.reported)
    used = {key for loaded in trainings for key in used_manifests(loaded.manifest, profile, needs)}
    problems = [*relevant_problems(manifests, used, training_id, is_resolved=not problems), *problems]
    return [_resolve_training(loaded, targets, profile, needs) for loaded in trainings], problems


def used_manifests(training: ModelTraining, profile: Profile, needs: Needs = EVERYTHING) -> Iterator[tuple[str, str]]:
    """Yield the kind and ID of a training and of every manifest that it refers to."""
    yield training.kind, training.id
    yield "ToolchainIntegration", training.spec.toolchain
    for _, name, _ in _references(training, _output(training, profile), needs):
        yield "Connection", name


def select_trainings(
    manifests: Manifests, training_id: str | None
) -> tuple[list[LoadedManifest[ModelTraining]], list[Problem]]:
    """Return all trainings, or the one with ID `training_id`.

    If there is none, return that as a problem, unless a manifest with problems may be the training.
    """
    selected = [loaded for loaded in manifests.trainings if training_id in (None, loaded.manifest.id)]
    if selected or may_contain(manifests, training_id):
        return selected, []
    if training_id is None:
        return [], [Problem("the files contain no ModelTraining", hint="pass a file with -f or a directory with -d")]
    hint = suggest(training_id, [loaded.manifest.id for loaded in manifests.trainings])
    return [], [Problem(f"the files contain no ModelTraining {training_id!r}", hint=hint)]


def select_valid(manifests: Manifests, training_id: str | None) -> list[LoadedManifest[ModelTraining]]:
    """Return all trainings, or the one with ID `training_id`, for a server that resolves their references.

    Raises:
        UserError: there is none, or the manifests that these trainings use have problems.
    """
    selected, problems = select_trainings(manifests, training_id)
    if not selected:
        raise UserError(problems or manifests.problems)
    used = {key for loaded in selected for key in used_manifests(loaded.manifest, Profile.model_construct())}
    if problems := relevant_problems(manifests, used, training_id, is_resolved=True):
        raise UserError(problems)
    return selected


def connection_names(training: ModelTraining, profile: Profile) -> tuple[str, ...]:
    """Return the distinct IDs of all connections of a training, including its output connection."""
    return tuple(dict.fromkeys(name for _, name, _ in _references(training, _output(training, profile), EVERYTHING)))


def _resolve_training(
    loaded: LoadedManifest[ModelTraining], targets: _Targets, profile: Profile, needs: Needs
) -> ResolvedTraining:
    output = _output(loaded.manifest, profile)
    return ResolvedTraining(
        training=loaded.manifest,
        document=loaded.document,
        toolchain=targets.toolchains.get(loaded.manifest.spec.toolchain, BUILT_IN_TOOLCHAINS["mlflow"]),
        connections={name: targets.connections.get(name) for _, name, _ in _references(loaded.manifest, output, needs)},
        output_connection=output,
        reported=loaded.reported,
        needs=needs,
    )


def _output(training: ModelTraining, profile: Profile) -> str:
    return training.spec.output_connection or profile.output_connection


def _references(training: ModelTraining, output: str, needs: Needs) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Yield the field, connection ID and valid connection types of each reference."""
    spec = training.spec
    if needs.source:
        yield _source_reference(spec)
    for index, binding in enumerate(spec.data):
        if needs.data is None or index in needs.data:
            field = "connName" if binding.conn_name else "connection"
            yield ("spec", "data", index, field), binding.source, STORE_TYPES
    if needs.output:
        yield ("spec", "outputConnection"), output, STORE_TYPES


def _source_reference(spec: ModelTrainingSpec) -> tuple[Path, str, tuple[str, ...]]:
    if spec.vcs_name:
        return ("spec", "vcsName"), spec.vcs_name, ("git",)
    if spec.algorithm_source.object_storage.connection:
        path: Path = ("spec", "algorithmSource", "objectStorage", "connection")
        return path, spec.algorithm_source.object_storage.connection, STORE_TYPES
    return ("spec", "algorithmSource", "vcs", "connection"), spec.code.connection or "", ("git",)


def _check_references(
    loaded: LoadedManifest[ModelTraining], manifests: Manifests, targets: _Targets, profile: Profile, needs: Needs
) -> Iterator[Problem]:
    yield from _check_connections(loaded, manifests, targets.connections, profile, needs)
    name = loaded.manifest.spec.toolchain
    if name not in targets.toolchains and ("ToolchainIntegration", name) not in manifests.invalid:
        hint = f"{suggest(name, sorted(targets.toolchains))} Otherwise pass its ToolchainIntegration with -f"
        location = loaded.document.location(("spec", "toolchain"))
        yield Problem(f"unknown toolchain {name!r}", location, hint, entity=name)


def _check_connections(
    loaded: LoadedManifest[ModelTraining],
    manifests: Manifests,
    connections: Mapping[str, Connection],
    profile: Profile,
    needs: Needs,
) -> Iterator[Problem]:
    for path, name, types in _references(loaded.manifest, _output(loaded.manifest, profile), needs):
        if not name or ("Connection", name) in manifests.invalid:
            continue
        location = loaded.document.location(path)
        if name in connections and connections[name].spec.type not in types:
            matching = [connection.id for connection in connections.values() if connection.spec.type in types]
            message = f"connection {name!r} has type {connections[name].spec.type}; {_join_or(types)} is required"
            hint = f"connections of a suitable type: {', '.join(matching) or 'none in the files'}"
            yield Problem(message, location, hint)
        elif name not in connections and not profile.is_external(name):
            suggestion = f"{suggest(name, sorted(connections))} Otherwise " if connections else ""
            hint = f"{suggestion}pass its manifest with -f or, if it exists on the cluster, add --external-connection {name}"
            yield Problem(f"the files contain no connection {name!r}", location, hint, entity=name)


def _join_or(values: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))
