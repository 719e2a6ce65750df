"""Interrupted pods on a real Argo controller."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.servers.argo import ArgoSite

pytestmark = [pytest.mark.argo, pytest.mark.timeout(600)]

GPU = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 1}, "requests": {"cpu": "100m", "memory": "256Mi"}}


def newest_pod(site: ArgoSite, workflow: str) -> str:
    """Return the name of the newest pod of the step train, or an empty text."""
    pods = [pod for pod in site.pods(workflow) if pod.metadata.labels["odahu.org/step"] == "train"]
    return max(pods, key=lambda pod: pod.metadata.creation_timestamp).metadata.name if pods else ""


def wait_for_start(site: ArgoSite, workflow: str, number: int) -> str:
    """Wait until the program has started for the given time. Return the name of its pod."""

    def has_started() -> bool:
        try:
            log = client.CoreV1Api(site.api).read_namespaced_pod_log(
                newest_pod(site, workflow), site.namespace, container="main"
            )
        except (client.ApiException, ValueError):
            return False
        return f"start {number}\n" in log

    site.until(has_started)
    return newest_pod(site, workflow)


@pytest.mark.parametrize("resources", [{}, {"resources": GPU}], ids=["cpu", "gpu"])
def test_interrupted_training_continues(site: ArgoSite, resources: dict[str, Any]) -> None:
    """A pod that is deleted gets its grace period, and one that is gone at once is replaced. No other step runs again."""
    name = "on-gpu-twice" if resources else "on-cpu-twice"
    spec = {"entrypoint": "interrupted", "hyperParameters": {"starts": "3"}, **resources}
    assert site.run("train", "create", "-f", site.manifest(name, **spec), "--no-wait").code == 0
    core = client.CoreV1Api(site.api)
    core.delete_namespaced_pod(wait_for_start(site, f"{name}-1", 1), site.namespace)
    core.delete_namespaced_pod(wait_for_start(site, f"{name}-1", 2), site.namespace, grace_period_seconds=0)
    wait_for_start(site, f"{name}-1", 3)
    status = site.wait_for_end(name)
    assert status["state"] == "succeeded", status
    assert len([pod for pod in site.pods(f"{name}-1") if pod.metadata.labels["odahu.org/step"] == "checkout"]) == 1


def test_run_is_stopped_if_no_gpu_node_is_found_in_time(site: ArgoSite, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    pool = {"node_selector": {"mode.odahu.gpu-training": "true"}, "pending_timeout": "20s"}
    profile.write_text(yaml.safe_dump(site.settings(pools={"gpu": pool})))
    resources = {"limits": {"cpu": "1", "memory": "2Gi", "gpu": 64}}
    manifest = site.manifest("unplaced", resources=resources)
    command = [sys.executable, "-m", "odahu_argo", "recorder", "-n", site.namespace]
    with subprocess.Popen(command) as recorder:
        try:
            result = site.run("train", "create", "-f", manifest, profile=profile)
        finally:
            recorder.terminate()
    assert result.code == 4
    status = site.status("unplaced")
    assert (status["state"], status["reason"]) == ("failed", "PendingTimeout")
    assert "Kubernetes found no node for step train within 20s" in status["message"]
