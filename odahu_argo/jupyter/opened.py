"""The document that is open in JupyterLab, as manifests of one training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from odahu_argo.errors import UserError
from odahu_argo.manifest.load import Manifests, beside, gather, read_text
from odahu_argo.server.refusals import TooLarge

LARGEST = 1024 * 1024
"""Characters; Kubernetes takes no larger object."""


class WhichOne(UserError):
    """The document holds several trainings; `trainings` are their ids."""

    def __init__(self, file: str, trainings: list[str]) -> None:
        super().__init__(f"{file} holds {len(trainings)} trainings: {', '.join(trainings)}", hint="choose one of them")
        self.trainings = trainings


@dataclass(frozen=True, slots=True)
class Opened:
    """A document as it stands in the editor, saved or not. `folder` is where it lies on this machine, if it does."""

    file: str
    text: str
    folder: Path | None = None

    def manifests(self, training_id: str | None) -> Manifests:
        """The document's training, or that one of its trainings; what is wrong stays with the manifests.

        Connections and toolchains that the document does not hold are taken from the YAML files beside it.

        Raises:
            TooLarge: it is too large.
            WhichOne: it holds several trainings, and none is named.
            UserError: it holds none of that id.
        """
        if len(self.text) > LARGEST:
            raise TooLarge(f"{self.file} is larger than {LARGEST // 1024} KiB")
        found = read_text(self.text, self.file)
        ids = [each.manifest.id for each in found.trainings]
        if training_id is None and len(ids) > 1:
            raise WhichOne(self.file, ids)
        if training_id is not None and training_id not in ids and not found.problems:
            raise UserError(f"{self.file} holds no training {training_id!r}")
        chosen = tuple(each for each in found.trainings if training_id in (None, each.manifest.id))
        return beside(replace(found, trainings=chosen), self._neighbours())

    def _neighbours(self) -> Manifests:
        """What the files of the same folder hold. What is wrong there is told only where it is needed."""
        if self.folder is None or not self.folder.is_dir():
            return Manifests()
        return gather(sorted(each for each in self.folder.glob("*.y*ml") if each.name != Path(self.file).name))
