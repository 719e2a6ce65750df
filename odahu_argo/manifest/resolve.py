"""What a training refers to by name: its toolchain and connections, found among the manifests or known to be elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from odahu_argo.document import Document, Path
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import Manifests, Written
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration, ToolchainIntegrationSpec
from odahu_argo.naming import LABEL_PATTERN
from odahu_argo.profile import Profile
from odahu_argo.validation import nearest

STORE_TYPES = ("s3", "gcs", "azureblob")
BUILT_IN_TOOLCHAINS = {
    name: ToolchainIntegration(id=name, spec=ToolchainIntegrationSpec(entrypoint=name))
    for name in ("mlflow", "mlflow-project")
}


@dataclass(frozen=True, slots=True)
class ResolvedTraining:
    """A training with all that it names. A connection that lives on the cluster stands in `connections` as None."""

    training: ModelTraining
    document: Document
    toolchain: ToolchainIntegration
    connections: Mapping[str, Connection | None]
    output_connection: str


def resolve(manifests: Manifests, profile: Profile, training_id: str | None = None) -> tuple[ResolvedTraining, ...]:
    """Every training, or the one called `training_id`, with what it refers to.

    Raises:
        UserError: there is no training, or none of that id; with every connection or toolchain that is missing or of the
            wrong type.
    """
    resolved, problems = look_up(manifests, profile, training_id)
    if problems:
        raise UserError(problems)
    return tuple(resolved)


def look_up(
    manifests: Manifests, profile: Profile, training_id: str | None
) -> tuple[list[ResolvedTraining], list[Problem]]:
    """The trainings of which all that they name was found, and the problems of the others."""
    chosen, problems = _chosen(manifests, training_id)
    resolved = []
    problems += _toolchain_mistakes_of_refused(manifests, training_id)
    for written in chosen:
        mistakes = list(_mistakes(written, manifests, profile))
        problems += mistakes
        if not mistakes:
            resolved.append(_resolved(written, manifests, profile))
    return resolved, problems


def connection_names(training: ModelTraining, profile: Profile) -> tuple[str, ...]:
    """The ids of all connections that a training names, its output's included; each once."""
    return tuple(dict.fromkeys(name for _, name, _ in _references(training, _output(training, profile))))


def _chosen(manifests: Manifests, training_id: str | None) -> tuple[list[Written[ModelTraining]], list[Problem]]:
    chosen = [written for written in manifests.trainings if training_id in (None, written.manifest.id)]
    if chosen or manifests.problems:
        return chosen, []
    if training_id is None:
        hint = "name a file or folder with one, by -f or -d"
        return [], [Problem("the given files hold no ModelTraining", hint=hint)]
    hint = nearest(training_id, [written.manifest.id for written in manifests.trainings])
    return [], [Problem(f"the given files hold no ModelTraining {training_id!r}", hint=hint)]


def _toolchains(manifests: Manifests) -> dict[str, ToolchainIntegration]:
    """What is among the manifests wins over what is registered, and that over what is built in."""
    registered = {each.id: each for each in manifests.registered}
    return BUILT_IN_TOOLCHAINS | registered | {each.manifest.id: each.manifest for each in manifests.toolchains}


def _output(training: ModelTraining, profile: Profile) -> str:
    return training.spec.output_connection or profile.output_connection


def _resolved(written: Written[ModelTraining], manifests: Manifests, profile: Profile) -> ResolvedTraining:
    known = {each.manifest.id: each.manifest for each in manifests.connections}
    output = _output(written.manifest, profile)
    return ResolvedTraining(
        training=written.manifest,
        document=written.document,
        toolchain=_toolchains(manifests)[written.manifest.spec.toolchain],
        connections={name: known.get(name) for _, name, _ in _references(written.manifest, output)},
        output_connection=output,
    )


def _mistakes(written: Written[ModelTraining], manifests: Manifests, profile: Profile) -> Iterator[Problem]:
    yield from _connection_mistakes(written, manifests, profile)
    yield from _toolchain_mistake(written.manifest.spec.toolchain, written.document, manifests)


def _toolchain_mistakes_of_refused(manifests: Manifests, training_id: str | None) -> Iterator[Problem]:
    """A training that has other mistakes is told of this one too: its field can be read all the same."""
    for (kind, refused_id), document in manifests.refused.items():
        spec = document.value.get("spec")
        name = spec.get("toolchain") if isinstance(spec, dict) else None
        is_asked_for = kind == "ModelTraining" and training_id in (None, refused_id)
        if is_asked_for and isinstance(name, str) and LABEL_PATTERN.fullmatch(name):
            yield from _toolchain_mistake(name, document, manifests)


def _toolchain_mistake(name: str, document: Document, manifests: Manifests) -> Iterator[Problem]:
    toolchains = _toolchains(manifests)
    if name not in toolchains and ("ToolchainIntegration", name) not in manifests.refused:
        hint = f"{nearest(name, sorted(toolchains))} Otherwise give its ToolchainIntegration by -f"
        yield Problem(f"there is no toolchain {name!r}", document.where(("spec", "toolchain")), hint)


def _references(training: ModelTraining, output: str) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Each connection that a training names: the field, the connection's id, and the types that can stand there."""
    spec = training.spec
    if spec.vcs_name:
        yield ("spec", "vcsName"), spec.vcs_name, ("git",)
    elif spec.algorithm_source.object_storage.connection:
        path: Path = ("spec", "algorithmSource", "objectStorage", "connection")
        yield path, spec.algorithm_source.object_storage.connection, STORE_TYPES
    else:
        yield ("spec", "algorithmSource", "vcs", "connection"), spec.code.connection or "", ("git",)
    for index, binding in enumerate(spec.data):
        field = "connName" if binding.conn_name else "connection"
        yield ("spec", "data", index, field), binding.source, STORE_TYPES
    yield ("spec", "outputConnection"), output, STORE_TYPES


def _connection_mistakes(written: Written[ModelTraining], manifests: Manifests, profile: Profile) -> Iterator[Problem]:
    known = {each.manifest.id: each.manifest for each in manifests.connections}
    for path, name, types in _references(written.manifest, _output(written.manifest, profile)):
        if ("Connection", name) in manifests.refused:
            continue
        where = written.document.where(path)
        if name in known and known[name].spec.type not in types:
            allowed = " or ".join(types)
            yield Problem(
                f"the connection {name!r} is of type {known[name].spec.type}; {allowed} is needed here", where
            )
        elif name not in known and not profile.is_external(name):
            close = f"{nearest(name, sorted(known))} Otherwise " if known else ""
            hint = f"{close}give its manifest by -f, or, if it lives on the cluster, add --external-connection {name}"
            yield Problem(f"there is no connection {name!r} among the given manifests", where, hint)
