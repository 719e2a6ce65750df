"""The trainings of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odahu_argo.errors import AlreadyExists, NotFound
from odahu_argo.local.connections import step_connections
from odahu_argo.local.home import Home
from odahu_argo.local.logs import read_logs, strip_step_prefix
from odahu_argo.local.manage import remove, start, stop
from odahu_argo.local.odahu_form import odahu_form
from odahu_argo.local.prepare import plan_digest
from odahu_argo.local.queries import get_training, list_trainings
from odahu_argo.local.store import TrainingStore
from odahu_argo.manifest.load import Manifests, Written, beside
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.server.manifest_folders import ManifestFolders
from odahu_argo.server.source import Form


@dataclass(frozen=True, slots=True)
class TrainingsOnThisMachine:
    """What `odahu-argo local` has run below `home`, and runs with the connections and toolchains of the folders.

    `settings` are read from `profile`, which each run reads again.
    """

    home: Home
    folders: ManifestFolders
    settings: Profile
    profile: Path | None

    def all(self) -> list[Form]:
        """Every training, by id."""
        found = sorted(list_trainings(self.home), key=lambda training: training.id)
        return [odahu_form(training, self.home) for training in found]

    def get(self, training_id: str) -> Form:
        """One training."""
        self._require(training_id)
        return odahu_form(get_training(self.home, training_id), self.home)

    def create(self, sent: Manifests) -> Form:
        """Run a training in a process of its own; the very same one while it goes on is the answer."""
        manifests, plan = self._plan(sent)
        if TrainingStore(self.home.store_file).get(plan.training_id) is not None:
            there = get_training(self.home, plan.training_id)
            if there.is_live and there.digest == plan_digest(plan):
                return odahu_form(there, self.home)
            raise AlreadyExists(
                f"there is a training {plan.training_id!r} on this machine: {there.state}",
                hint="odahu-argo train edit -f FILE runs it anew, --ignore-if-exists leaves it as it is",
            )
        return self._start(manifests, plan)

    def update(self, sent: Manifests) -> Form:
        """End the run before, and run what the manifest says now."""
        manifests, plan = self._plan(sent)
        self._require(plan.training_id)
        stop(self.home, plan.training_id)
        return self._start(manifests, plan)

    def delete(self, training_id: str) -> None:
        """Remove a training's workspace, logs and record; one that goes on is ended first. Trained models stay."""
        self._require(training_id)
        stop(self.home, training_id)
        remove(self.home, training_id)

    def log(self, training_id: str, follow: bool) -> Iterator[str]:
        """Its lines, each after the name of its step."""
        self._require(training_id)
        lines = read_logs(self.home, training_id, None, follow)
        return (f"{step} | {strip_step_prefix(step, line)}" for step, line in lines)

    def _require(self, training_id: str) -> None:
        if TrainingStore(self.home.store_file).get(training_id) is None:
            raise NotFound(f"no training {training_id!r} was run on this machine")

    def _plan(self, sent: Manifests) -> tuple[Manifests, Plan]:
        """The plan of the training, with the manifests it was made of: those sent win over those of the folders.

        Raises:
            UserError: with every mistake, or because a connection is not on this machine.
        """
        manifests = beside(sent, self.folders.whole())
        [plan] = plan_trainings(manifests, self.settings)
        connections = {written.manifest.id: written.manifest for written in manifests.connections}
        step_connections(plan, connections, self.home.artifacts, None)
        return manifests, plan

    def _start(self, manifests: Manifests, plan: Plan) -> Form:
        written: Iterable[Written[Any]] = (*manifests.trainings, *manifests.connections, *manifests.toolchains)
        texts = [json.dumps({"kind": each.manifest.kind, **each.document.value}) for each in written]
        return odahu_form(start("\n---\n".join(texts), plan.training_id, self.home, self.profile), self.home)
