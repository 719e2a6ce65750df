"""What a training refers to by name: its toolchain and connections, found among the manifests or known to be elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from odahu_argo.document import Document, Path
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import Manifests, Written
from odahu_argo.manifest.models import Connection, ModelTraining, ToolchainIntegration, ToolchainIntegrationSpec
from odahu_argo.profile import Profile
from odahu_argo.validation import nearest

STORE_TYPES = ("s3", "gcs", "azureblob")
BUILT_IN_TOOLCHAINS = {
    "mlflow": ToolchainIntegration(id="mlflow", spec=ToolchainIntegrationSpec(entrypoint="mlflow")),
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
    problems: list[Problem] = []
    resolved = [_resolve(written, manifests, profile, problems) for written in _chosen(manifests, training_id)]
    if problems:
        raise UserError(problems)
    return tuple(each for each in resolved if each is not None)


def _chosen(manifests: Manifests, training_id: str | None) -> tuple[Written[ModelTraining], ...]:
    if training_id is None:
        if not manifests.trainings:
            raise UserError("the given files hold no ModelTraining", "name a file or folder with one, by -f or -d")
        return manifests.trainings
    chosen = tuple(written for written in manifests.trainings if written.manifest.id == training_id)
    if not chosen:
        hint = nearest(training_id, [written.manifest.id for written in manifests.trainings])
        raise UserError(f"the given files hold no ModelTraining {training_id!r}", hint)
    return chosen


def _resolve(
    written: Written[ModelTraining], manifests: Manifests, profile: Profile, problems: list[Problem]
) -> ResolvedTraining | None:
    known = {each.manifest.id: each.manifest for each in manifests.connections}
    spec = written.manifest.spec
    output = spec.output_connection or profile.output_connection
    mistakes = list(_connection_mistakes(written, output, known, profile))
    toolchains = BUILT_IN_TOOLCHAINS | {each.manifest.id: each.manifest for each in manifests.toolchains}
    if spec.toolchain not in toolchains:
        message = f"there is no toolchain {spec.toolchain!r}"
        hint = f"{nearest(spec.toolchain, sorted(toolchains))}; give its ToolchainIntegration by -f"
        mistakes.append(Problem(message, written.document.where(("spec", "toolchain")), hint))
    problems += mistakes
    if mistakes:
        return None
    return ResolvedTraining(
        training=written.manifest,
        document=written.document,
        toolchain=toolchains[spec.toolchain],
        connections={name: known.get(name) for _, name, _ in _references(written.manifest, output)},
        output_connection=output,
    )


def _references(training: ModelTraining, output: str) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Each connection that a training names: the field, the connection's id, and the types that can stand there."""
    yield ("spec", "vcsName"), training.spec.vcs_name, ("git",)
    for index, binding in enumerate(training.spec.data):
        yield ("spec", "data", index, "connName"), binding.conn_name, STORE_TYPES
    yield ("spec", "outputConnection"), output, STORE_TYPES


def _connection_mistakes(
    written: Written[ModelTraining], output: str, known: Mapping[str, Connection], profile: Profile
) -> Iterator[Problem]:
    for path, name, types in _references(written.manifest, output):
        where = written.document.where(path)
        if name in known and known[name].spec.type not in types:
            allowed = " or ".join(types)
            yield Problem(
                f"the connection {name!r} is of type {known[name].spec.type}; {allowed} is needed here", where
            )
        elif name not in known and name not in profile.external_connections:
            close = f"{nearest(name, sorted(known))}; " if known else ""
            hint = f"{close}give its manifest by -f, or, if it lives on the cluster, add --external-connection {name}"
            yield Problem(f"there is no connection {name!r} among the given manifests", where, hint)
