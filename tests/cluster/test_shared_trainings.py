"""The informer of a server on a real Kubernetes API, through outages."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from odahu_argo.backends.kubernetes import KubernetesSubmission
from odahu_argo.backends.shared import SharedKubernetesBackend
from odahu_argo.errors import Unreachable
from odahu_argo.kube.cluster import WORKFLOW
from odahu_argo.profile import Profile
from odahu_argo.trainings.selection import PageRequest, TrainingFilter
from tests.cluster.conftest import ProxiedCluster
from tests.manifests import plan
from tests.waiting import eventually

pytestmark = pytest.mark.cluster

LAST_KNOWN = PageRequest(1, 10, is_newest_first=True, is_summary=True, allows_outdated=True)


def collection_reads(proxied: ProxiedCluster) -> list[str]:
    """Lists and watches of Workflows and ConfigMaps that the API has received."""
    reads = [line for line in proxied.proxy.requests if line.startswith("GET") and "?" in line]
    return ["watch" if "watch=true" in line else "list" for line in reads]


def test_readers_share_one_list_and_survive_an_outage(proxied_cluster: ProxiedCluster, tmp_path: Path) -> None:
    wine, proxy = plan(tmp_path), proxied_cluster.proxy
    with closing(SharedKubernetesBackend(proxied_cluster.cluster, Profile())) as backend:
        trainings = backend.trainings

        def listed() -> list[str]:
            return [found.id for found in trainings.page(TrainingFilter(), LAST_KNOWN).trainings]

        assert listed() == []
        submission = KubernetesSubmission(trainings, {"wine": wine})
        submission.create("wine")
        assert listed() == ["wine"]
        assert eventually(lambda: sorted(collection_reads(proxied_cluster)).count("watch") == 2)
        before = len(proxy.requests)
        readers = [threading.Thread(target=lambda: [listed() for _ in range(50)]) for _ in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert len(proxy.requests) == before

        proxy.cut()
        assert eventually(lambda: trainings.page(TrainingFilter(), LAST_KNOWN).outage is not None)
        assert listed() == ["wine"]
        with pytest.raises(Unreachable):
            trainings.get("wine")
        proxy.restore()
        assert eventually(lambda: trainings.page(TrainingFilter(), LAST_KNOWN).outage is None)
        trainings.delete("wine")
        assert listed() == []
        assert proxied_cluster.cluster.list(WORKFLOW).items == ()
    assert eventually(lambda: proxy.is_idle)
