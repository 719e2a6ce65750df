"""Checks of the Argo installation and its version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.kube.cluster import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, Cluster
from odahu_argo.preflight.argo import check_argo
from odahu_argo.profile import parse_profile
from tests.fakes.cluster import InMemoryCluster
from tests.manifests import plan
from tests.servers.scripted import Answer, answering
from tests.unit.preflight.conftest import ForbiddenCluster, crd, install_argo

GPU = {"limits": {"gpu": 1}}


def results(cluster: Any, *plans: Any, url: str | None = None) -> dict[str, tuple[str, str]]:
    """Level and message by subject."""
    checked: Cluster = cluster
    found = list(check_argo(checked, url, plans))
    assert all(result.hint for result in found if result.level != "ok")
    return {result.subject: (result.level, result.message) for result in found}


@pytest.mark.parametrize(
    ("image", "level", "message"),
    [
        ("quay.io/argoproj/workflow-controller:v3.5.14", "error", "Argo 3.5 is not supported"),
        ("quay.io/argoproj/workflow-controller:v3.6.0", "ok", "3.6"),
        ("registry:5000/argo/workflow-controller:4.1.2-debian@sha256:ab", "ok", "4.1"),
    ],
)
def test_reads_the_version_from_the_controller_image(
    cluster: InMemoryCluster, image: str, level: str, message: str
) -> None:
    install_argo(cluster, image)
    checked = results(cluster)
    assert checked["Argo version"][0] == level and checked["Argo version"][1].startswith(message)
    assert checked["Argo controller"] == ("ok", f"argo/argo-controller runs {image}")


@pytest.mark.parametrize(
    "image", ["workflow-controller:latest", "workflow-controller", "workflow-controller@sha256:1234"]
)
def test_does_not_guess_a_version_from_another_tag(cluster: InMemoryCluster, image: str) -> None:
    install_argo(cluster, image)
    assert "Argo version" not in results(cluster)


def test_warns_about_a_controller_without_ready_pods(cluster: InMemoryCluster) -> None:
    install_argo(cluster, ready=0)
    level, message = results(cluster)["Argo controller"]
    assert level == "warning" and message.startswith("argo/argo-controller has no ready pod")


def test_warns_about_a_missing_controller(cluster: InMemoryCluster) -> None:
    install_argo(cluster, image="nginx:1")
    level, message = results(cluster)["Argo controller"]
    assert level == "warning" and "without a controller, trainings stay in state scheduling" in message


def test_reads_the_version_from_argo_server_if_deployments_are_forbidden() -> None:
    with answering(Answer(200, {"version": "v3.4.1"})) as server:
        checked = results(ForbiddenCluster(), url=server.address)
    assert checked == {"Argo version": ("error", "Argo 3.4 is not supported; the oldest supported version is 3.6")}
    assert server.requests == [("GET", "/api/v1/version")]


@pytest.mark.parametrize("answer", [Answer(401, {"version": 3}), Answer(200, b"<html>"), Answer(200, {"version": 3})])
def test_ignores_an_argo_server_that_does_not_report_a_version(answer: Answer) -> None:
    with answering(answer) as server:
        assert results(ForbiddenCluster(), url=server.address) == {}


def test_reports_missing_crds(cluster: InMemoryCluster) -> None:
    assert results(cluster)["Argo"] == (
        "error",
        "the cluster has no CustomResourceDefinition workflows.argoproj.io",
    )


def test_reports_crds_of_another_version(cluster: InMemoryCluster) -> None:
    cluster.create(CUSTOM_RESOURCE_DEFINITION, crd("v2"))
    assert results(cluster)["Argo"] == ("error", "workflows.argoproj.io serves v2, not v1alpha1")


def test_warns_about_a_missing_recorder_if_waits_are_limited(cluster: InMemoryCluster, tmp_path: Path) -> None:
    install_argo(cluster)
    level, message = results(cluster, plan(tmp_path, resources=GPU))["pending timeout"]
    assert (level, message) == (
        "warning",
        "the recorder is not installed: pods wait for a GPU node without limit",
    )
    assert "pending timeout" not in results(cluster, plan(tmp_path))
    unlimited = parse_profile("pools: {gpu: {pending_timeout: none}}", "profile.yaml")
    assert "pending timeout" not in results(cluster, plan(tmp_path, unlimited, resources=GPU))
    spec = {"template": {"spec": {"containers": []}}}
    cluster.create(DEPLOYMENT, {"metadata": {"name": "odahu-argo-recorder"}, "spec": spec})
    assert "pending timeout" not in results(cluster, plan(tmp_path, resources=GPU))
