"""Plans for a cluster: what trainings name and no manifest holds is looked for there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.resolve import connection_names
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile
from odahu_argo.submit.cluster import Cluster, Denied
from odahu_argo.submit.toolchains import registered


def plan_on(cluster: Cluster, manifests: Manifests, settings: Profile, training_id: str | None = None) -> list[Plan]:
    """A plan for each training of the manifests, or for the one called `training_id`.

    A toolchain is taken from the manifests, else from the cluster, else it is built in. Connections that no manifest holds
    are the cluster's; whether their Secrets are there is for `submit.preflight` to see.

    Raises:
        UserError: with every problem at once.
        Unreachable: the API does not answer.
    """
    trainings = [each.manifest for each in manifests.trainings]
    with suppress(Denied):
        wanted = {training.spec.toolchain for training in trainings}
        own = {each.manifest.id for each in manifests.toolchains}
        manifests = replace(manifests, registered=registered(cluster, wanted - own))
    names = tuple(name for training in trainings for name in connection_names(training, settings))
    return plan_trainings(manifests, settings.with_external(names), training_id)
