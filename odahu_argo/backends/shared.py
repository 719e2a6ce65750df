"""Trainings on a cluster for many readers: lists come from one informer instead of a request for each reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from odahu_argo.backends.base import Submitted
from odahu_argo.backends.kubernetes import KubernetesBackend, KubernetesTrainings
from odahu_argo.kube.cluster import Cluster
from odahu_argo.profile import Profile
from odahu_argo.trainings.events import WatchEvent
from odahu_argo.trainings.informer import TrainingInformer
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.selection import PageRequest, TrainingFilter, TrainingPage
from odahu_argo.trainings.submit import SubmittedWorkflow


class SharedKubernetesBackend(KubernetesBackend):
    """A namespace of a cluster for a long-lived process with many readers. Call `close` at its end.

    Lists, pages and single trainings are read from memory. A change through this backend returns when they contain it, or
    after `trainings.informer.WRITE_SECONDS`. Logs, compiled Workflows, connections and toolchains are read from the cluster.
    """

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        super().__init__(cluster, profile)
        self.informer = TrainingInformer(cluster)
        self.trainings: SharedTrainings = SharedTrainings(cluster, profile, self.informer)
        self.informer.start()

    def close(self) -> None:
        """End the background threads."""
        self.informer.stop()


class SharedTrainings(KubernetesTrainings):
    """The trainings of a namespace, read from an informer.

    While the cluster cannot be read, methods raise the error of the informer. Only pages that allow it are outdated.
    """

    def __init__(self, cluster: Cluster, profile: Profile, informer: TrainingInformer) -> None:
        super().__init__(cluster, profile)
        self._informer = informer
        self._index = informer.index

    def list(self) -> Sequence[Training]:
        """Return every training, sorted by ID."""
        return self._read(self.ids())

    def page(self, selection: TrainingFilter, request: PageRequest) -> TrainingPage:
        """Return a page of the matching trainings."""
        outage = self._informer.check()
        if not request.allows_outdated:
            self._informer.require_current()
        snapshot = self._index.snapshot()
        found, number, total = snapshot.page(selection, request)
        trainings = [entry.summary for entry in found] if request.is_summary else self._read([one.id for one in found])
        return TrainingPage(trainings, number, total, request.size, snapshot.counts, outage)

    def ids(self) -> Sequence[str]:
        """Return the ID of every training, sorted."""
        self._informer.require_current()
        return [entry.id for entry in self._index.snapshot().by_id]

    def get(self, training_id: str) -> Training:
        """Return one training. One that the informer does not know is looked up on the cluster."""
        self._informer.require_current()
        return self._index.find(training_id) or super().get(training_id)

    def delete(self, training_id: str) -> None:
        """Delete a training with its runs, workspaces and history."""
        super().delete(training_id)
        self._informer.wait_for_deletion(training_id)

    def watch(self, training_id: str | None = None) -> Iterator[WatchEvent]:
        """Yield every training, or one, then each change."""
        return self._informer.watch(training_id)

    def submitted(self, training_id: str, workflow: SubmittedWorkflow) -> Submitted:
        """Describe a submitted Workflow when the lists contain it."""
        self._informer.wait_for_run(training_id, workflow.uid)
        return super().submitted(training_id, workflow)

    def _read(self, ids: Sequence[str]) -> Sequence[Training]:
        """Return these trainings. One that is deleted meanwhile is left out."""
        return [training for training_id in ids if (training := self._index.find(training_id))]
