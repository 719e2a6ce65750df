"""Warning events of pods that are slow to start. Workflows do not contain them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from odahu_argo.errors import Forbidden, Rejected, Unreachable
from odahu_argo.kube.cluster import EVENT, Cluster, Object
from odahu_argo.status.pending_rules import NORMAL_START
from odahu_argo.trainings.model import Attempt

USUAL_START_SECONDS = 10.0
"""Time in which a healthy pod starts. Warning events are read only for pods that take longer."""

_Warning = tuple[str, str, str]
"""Pod, time and text."""


def starting_pods(attempt: Attempt) -> dict[str, str]:
    """Return the pods that are starting and report no problem, with the times at which they were created."""
    return {
        run.pod: run.started
        for step in attempt.status.steps
        for run in step.runs
        if run.state == "scheduling" and NORMAL_START.fullmatch(run.message)
    }


def slow_pods(pods: Mapping[str, str], now: str) -> list[str]:
    """Return the pods that have been starting for longer than usual at the time `now`."""
    return [pod for pod, started in pods.items() if _seconds(started, now) > USUAL_START_SECONDS]


def pod_warnings(cluster: Cluster, pods: Iterable[str]) -> dict[str, str]:
    """Return the last warning of each pod that has one, such as `FailedMount: MountVolume.SetUp failed …`.

    Sends one request for each pod. Pods whose events cannot be read have no warning.
    """
    warnings: dict[str, str] = {}
    for pod in pods:
        with suppress(Forbidden, Rejected, Unreachable):
            events = cluster.list(EVENT, fields={"involvedObject.name": pod, "type": "Warning"}).items
            warnings |= _last(_warning(event) for event in events)
    return warnings


def all_pod_warnings(cluster: Cluster) -> dict[str, str]:
    """Return the last warning of every pod of the namespace that has one, with one list.

    Raises:
        Forbidden, Unreachable: Events cannot be listed.
    """
    fields = {"involvedObject.kind": "Pod", "type": "Warning"}
    return _last(cluster.gather(EVENT, _warning, fields=fields).items)


def _warning(event: Object) -> _Warning:
    pod = str((event.get("involvedObject") or {}).get("name", ""))
    series = event.get("series") or {}
    time = str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")
    return pod, time, f"{event.get('reason', '')}: {event.get('message', '')}"


def _last(warnings: Iterable[_Warning]) -> dict[str, str]:
    times: dict[str, str] = {}
    texts: dict[str, str] = {}
    for pod, time, text in warnings:
        if pod not in texts or time > times[pod]:
            times[pod], texts[pod] = time, text
    return texts


def _seconds(since: str, now: str) -> float:
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
