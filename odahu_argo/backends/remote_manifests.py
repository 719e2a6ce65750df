"""Manifests that an API server has, for a run on this machine."""

from __future__ import annotations

import yaml

from odahu_argo.backends.remote import RemoteBackend
from odahu_argo.errors import NotFound
from odahu_argo.manifest.load import Manifests, join, load_text
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.naming import as_id
from odahu_argo.odahu_api import Document


def with_training_of_server(manifests: Manifests, training_id: str, backend: RemoteBackend) -> Manifests:
    """Add the training with this ID and its toolchain, unless the files contain them.

    As `odahuflowctl local train run`, connections are not read from the server: their secrets stay there.

    Raises:
        NotFound: Neither the files nor the server have the training.
        UserError: The server denies access.
        Unreachable: The server does not answer.
    """
    own = {loaded.manifest.id: loaded.manifest for loaded in (*manifests.trainings, *manifests.invalid_trainings)}
    training = own.get(training_id) or own.get(as_id(training_id))
    documents = []
    if training is None:
        documents.append(_training(training_id, backend))
    toolchain = str(documents[0]["spec"].get("toolchain")) if training is None else training.spec.toolchain
    known = {loaded.manifest.id for loaded in manifests.toolchains} | BUILT_IN_TOOLCHAINS.keys()
    if toolchain not in known and ("ToolchainIntegration", toolchain) not in manifests.invalid:
        documents += _toolchain(toolchain, backend)
    if not documents:
        return manifests
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)
    return join(manifests, load_text(text, backend.info.location))


def _training(training_id: str, backend: RemoteBackend) -> Document:
    try:
        training = backend.trainings.get(training_id)
    except NotFound as error:
        message = f"training {training_id!r} is neither in the files nor at {backend.info.location}"
        raise NotFound(message, error.problems[0].hint) from error
    return {"kind": "ModelTraining", "id": training.id, "spec": dict(training.newest.spec)}


def _toolchain(name: str, backend: RemoteBackend) -> list[Document]:
    """Return the toolchain, or nothing if the server does not have it either, which planning reports."""
    try:
        toolchain = backend.toolchains.get(name)
    except NotFound:
        return []
    return [{field: toolchain[field] for field in ("kind", "id", "spec")}]
