"""Checks of the queues that trainings use, and of Kueue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from odahu_argo.kube.cluster import Cluster, Object
from odahu_argo.kube.kueue import read_cluster_queues, read_local_queues, read_priority_classes
from odahu_argo.plan.model import Plan, Queueing
from odahu_argo.preflight.result import CheckLevel, CheckResult
from odahu_argo.profile import Profile
from odahu_argo.status.queues import explain_stopped_queue, missing_priority, missing_queue
from odahu_argo.status.rules import Explanation

_INSTALL_HINT = "install Kueue: https://kueue.sigs.k8s.io/docs/installation/; or remove the queue"


def check_queues(cluster: Cluster, profile: Profile, plans: Sequence[Plan]) -> Iterator[CheckResult]:
    """Check that each queue and priority class exists, and warn about a queue that admits no trainings.

    The queues are those of the plans or, without plans, those of the profile. Without a queue, send no request.
    """
    queued = [step.queueing for plan in plans for step in plan.steps if step.queueing]
    if not plans:
        queued = list(_profile_queues(profile))
    names = list(dict.fromkeys(queueing.queue for queueing in queued))
    if not names:
        return
    local_queues = read_local_queues(cluster)
    if local_queues is None:
        message = "queues cannot be checked: the cluster has no Kueue, or you cannot list LocalQueues"
        yield CheckResult("warning", f"queue {names[0]}", message, _INSTALL_HINT)
        return
    cluster_queues = read_cluster_queues(cluster)
    for name in names:
        yield _check_queue(name, local_queues, cluster_queues)
    yield from _check_priorities(cluster, queued)


def _profile_queues(profile: Profile) -> Iterator[Queueing]:
    """Yield the queues of the profile and of its node pools, with their priorities."""
    if profile.queue:
        yield Queueing(profile.queue, profile.priority)
    for pool in (*profile.pools.cpu, *profile.pools.gpu):
        if queue := pool.queue or profile.queue:
            yield Queueing(queue, pool.priority or profile.priority)


def _check_queue(
    name: str, local_queues: Mapping[str, Object], cluster_queues: Mapping[str, Object] | None
) -> CheckResult:
    subject = f"queue {name}"
    if name not in local_queues:
        return _result("error", subject, missing_queue(name, local_queues))
    if stopped := explain_stopped_queue(name, local_queues[name], cluster_queues):
        return _result("warning", subject, stopped)
    waiting = (local_queues[name].get("status") or {}).get("pendingWorkloads") or 0
    return CheckResult("ok", subject, f"it admits trainings; {waiting} wait in it")


def _check_priorities(cluster: Cluster, queued: Sequence[Queueing]) -> Iterator[CheckResult]:
    names = {queueing.priority: None for queueing in queued if queueing.priority}
    available = read_priority_classes(cluster) if names else None
    for name in names:
        if available is not None and name not in available:
            yield _result("error", f"priority {name}", missing_priority(str(name), available))


def _result(level: CheckLevel, subject: str, explanation: Explanation) -> CheckResult:
    return CheckResult(level, subject, explanation.message, explanation.hint)
