"""The manifest of a training that an API server has, for a run on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from odahu_argo.backends.remote import RemoteBackend
from odahu_argo.errors import NotFound
from odahu_argo.manifest.load import Manifests, join, load_text
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.odahu_api import Document


def with_training_of_server(manifests: Manifests, training_id: str, backend: RemoteBackend) -> Manifests:
    """Add a training that the files do not contain, and its toolchain unless they contain it.

    As `odahuflowctl local train run`, connections are not read from the server: their secrets stay there.

    Raises:
        NotFound: The server has no such training, or not its toolchain.
        UserError: The server denies access.
        Unreachable: The server does not answer.
    """
    own = {loaded.manifest.id for loaded in manifests.toolchains}
    documents = list(_documents(training_id, backend, own | BUILT_IN_TOOLCHAINS.keys()))
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)
    return join(manifests, load_text(text, backend.info.location))


def _documents(training_id: str, backend: RemoteBackend, known_toolchains: set[str]) -> Iterator[Document]:
    try:
        training = backend.trainings.get(training_id)
    except NotFound as error:
        message = f"training {training_id!r} is neither in the files nor at {backend.info.location}"
        raise NotFound(message, error.problems[0].hint) from error
    spec = dict(training.newest.spec)
    yield {"kind": "ModelTraining", "id": training.id, "spec": spec}
    if spec.get("toolchain") not in known_toolchains:
        toolchain = backend.toolchains.get(str(spec.get("toolchain")))
        yield {name: toolchain[name] for name in ("kind", "id", "spec")}
