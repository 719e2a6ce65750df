"""Why a pod that has a node does not start: Kubernetes says it in the pod's events alone, and Argo passes nothing on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from odahu_argo.status.hold_ups import STARTING
from odahu_argo.submit.cluster import EVENT, Cluster, Denied, Object, Refused, Unreachable
from odahu_argo.trainings.model import Attempt

USUAL_START = 10.0
"""Seconds in which a pod starts where nothing is wrong."""


def slow_pods(attempts: Iterable[Attempt], now: str) -> list[str]:
    """The names of pods that say no more than that they are starting, for longer than is usual."""
    runs = (run for attempt in attempts for step in attempt.status.steps for run in step.runs)
    starting = (run for run in runs if run.state == "scheduling" and STARTING.fullmatch(run.message))
    return [run.pod for run in starting if _seconds(run.started, now) > USUAL_START]


def pod_warnings(cluster: Cluster, pods: Iterable[str]) -> dict[str, str]:
    """What Kubernetes has last warned of each pod, as `FailedMount: MountVolume.SetUp failed …`; nothing of those it has not
    warned of, or whose events may not be read.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    warnings: dict[str, str] = {}
    for pod in pods:
        with suppress(Denied, Refused, Unreachable):
            events = cluster.list(EVENT, fields={"involvedObject.name": pod, "type": "Warning"}).items
            if events:
                last = max(events, key=_time)
                warnings[pod] = f"{last.get('reason', '')}: {last.get('message', '')}"
    return warnings


def _time(event: Object) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _seconds(since: str, now: str) -> float:
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
