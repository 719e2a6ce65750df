"""What a training refers to by name: its toolchain and connections, found among the manifests or known to be elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from odahu_argo.document import Document
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import Manifests, Written
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration, ToolchainIntegrationSpec
from odahu_argo.profile import Profile
from odahu_argo.validation import further, nearest
from odahu_argo.yaml_values import Path

STORE_TYPES = ("s3", "gcs", "azureblob")
BUILT_IN_TOOLCHAINS = {
    name: ToolchainIntegration.model_construct(id=name, spec=ToolchainIntegrationSpec.model_construct(entrypoint=name))
    for name in ("mlflow", "mlflow-project")
}


@dataclass(frozen=True, slots=True)
class ResolvedTraining:
    """A training with all that it names. A connection that lives on the cluster stands in `connections` as None.

    `told` are the fields of which a problem is known already.
    """

    training: ModelTraining
    document: Document
    toolchain: ToolchainIntegration
    connections: Mapping[str, Connection | None]
    output_connection: str
    told: frozenset[str] = frozenset()


def resolve(manifests: Manifests, profile: Profile, training_id: str | None = None) -> tuple[ResolvedTraining, ...]:
    """Every training, or the one called `training_id`, with what it refers to.

    Raises:
        UserError: there is no training, or none of that id; with every connection or toolchain that is missing or of the
            wrong type.
    """
    resolved, problems = look_up(manifests, profile, training_id)
    if manifests.problems or problems:
        raise UserError([*manifests.problems, *problems])
    return tuple(resolved)


def look_up(
    manifests: Manifests, profile: Profile, training_id: str | None
) -> tuple[list[ResolvedTraining], list[Problem]]:
    """The trainings, and the problems that what they name has, apart from those that `manifests` has already.

    Where there is any problem at all, trainings may be faulty, or not all that they name be there; then they are good for
    finding more mistakes only.
    """
    chosen, problems = choose(manifests, training_id)
    chosen += [written for written in manifests.faulty if training_id in (None, written.manifest.id)]
    known = _Known.among(manifests)
    for written in chosen:
        problems += further(_mistakes(written, manifests, known, profile), written.told)
    return [_resolved(written, known, profile) for written in chosen], problems


def connection_names(training: ModelTraining, profile: Profile) -> tuple[str, ...]:
    """The ids of all connections that a training names, its output's included; each once."""
    return tuple(dict.fromkeys(name for _, name, _ in _references(training, _output(training, profile))))


def choose(manifests: Manifests, training_id: str | None) -> tuple[list[Written[ModelTraining]], list[Problem]]:
    """All trainings, or the one called `training_id`; the problem that there is none, unless mistakes may be why."""
    chosen = [written for written in manifests.trainings if training_id in (None, written.manifest.id)]
    if chosen or manifests.problems:
        return chosen, []
    if training_id is None:
        hint = "name a file or folder with one, by -f or -d"
        return [], [Problem("the given files hold no ModelTraining", hint=hint)]
    hint = nearest(training_id, [written.manifest.id for written in manifests.trainings])
    return [], [Problem(f"the given files hold no ModelTraining {training_id!r}", hint=hint)]


@dataclass(frozen=True, slots=True)
class _Known:
    """What trainings can name, by id."""

    toolchains: Mapping[str, ToolchainIntegration]
    connections: Mapping[str, Connection]

    @classmethod
    def among(cls, manifests: Manifests) -> _Known:
        """A toolchain among the manifests wins over what is registered, and that over what is built in."""
        registered = {each.id: each for each in manifests.registered}
        return cls(
            BUILT_IN_TOOLCHAINS | registered | {each.manifest.id: each.manifest for each in manifests.toolchains},
            {each.manifest.id: each.manifest for each in manifests.connections},
        )


def _output(training: ModelTraining, profile: Profile) -> str:
    return training.spec.output_connection or profile.output_connection


def _resolved(written: Written[ModelTraining], known: _Known, profile: Profile) -> ResolvedTraining:
    output = _output(written.manifest, profile)
    return ResolvedTraining(
        training=written.manifest,
        document=written.document,
        toolchain=known.toolchains.get(written.manifest.spec.toolchain, BUILT_IN_TOOLCHAINS["mlflow"]),
        connections={name: known.connections.get(name) for _, name, _ in _references(written.manifest, output)},
        output_connection=output,
        told=written.told,
    )


def _mistakes(
    written: Written[ModelTraining], manifests: Manifests, known: _Known, profile: Profile
) -> Iterator[Problem]:
    yield from _connection_mistakes(written, manifests, known.connections, profile)
    name = written.manifest.spec.toolchain
    if name not in known.toolchains and ("ToolchainIntegration", name) not in manifests.refused:
        hint = f"{nearest(name, sorted(known.toolchains))} Otherwise give its ToolchainIntegration by -f"
        yield Problem(f"there is no toolchain {name!r}", written.document.where(("spec", "toolchain")), hint)


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


def _one_of(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _connection_mistakes(
    written: Written[ModelTraining], manifests: Manifests, known: Mapping[str, Connection], profile: Profile
) -> Iterator[Problem]:
    for path, name, types in _references(written.manifest, _output(written.manifest, profile)):
        if not name or ("Connection", name) in manifests.refused:
            continue
        where = written.document.where(path)
        if name in known and known[name].spec.type not in types:
            fitting = [each.id for each in known.values() if each.spec.type in types]
            hint = f"known of such a type: {', '.join(fitting) or 'none among the given manifests'}"
            message = f"the connection {name!r} is of type {known[name].spec.type}; {_one_of(types)} is needed here"
            yield Problem(message, where, hint)
        elif name not in known and not profile.is_external(name):
            close = f"{nearest(name, sorted(known))} Otherwise " if known else ""
            hint = f"{close}give its manifest by -f, or, if it lives on the cluster, add --external-connection {name}"
            yield Problem(f"there is no connection {name!r} among the given manifests", where, hint)
