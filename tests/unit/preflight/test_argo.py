"""Argo's version, and what follows from it. The cluster is a stand-in: one real API has one version of Argo's definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import NotFound
from odahu_argo.kube.cluster import DEPLOYMENT_ALL_NAMESPACES, Kind, Listing, Object
from odahu_argo.preflight.argo import check_argo
from odahu_argo.preflight.checks import check
from odahu_argo.profile import parse_profile
from tests.manifests import plan
from tests.servers.scripted import Answer, answering
from tests.unit.preflight.test_checks import Closed

GPU = {"limits": {"gpu": 1}}
BEFORE_4_1, OF_4_1 = {"container": {}}, {"container": {}, "pendingTimeout": {}}


@dataclass
class WithArgo:
    """A cluster with a controller of this image, whose definitions list these fields of a template."""

    image: str = "quay.io/argoproj/workflow-controller:v4.1.2"
    fields: dict[str, Any] = field(default_factory=dict)
    ready: int = 1
    version: str = "v1alpha1"
    namespace: str = "ml"

    def get(self, kind: Kind, name: str) -> Object:
        spec = {"properties": {"templates": {"items": {"properties": self.fields}}}} if self.fields else {}
        schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
        return {"spec": {"versions": [{"name": self.version, "served": True, "schema": schema}]}}

    def list(self, kind: Kind, labels: object = None, fields: object = None) -> Listing:
        assert kind is DEPLOYMENT_ALL_NAMESPACES
        containers = {"containers": [{"image": "envoy:1"}, {"image": self.image}]}
        spec = {"template": {"spec": containers}}
        metadata = {"name": "argo-controller", "namespace": "argo"}
        return Listing([{"metadata": metadata, "spec": spec, "status": {"readyReplicas": self.ready}}], "1")


def found(cluster: Any, *plans: Any, url: str | None = None) -> dict[str, tuple[str, str]]:
    findings = list(check_argo(cluster, url, plans))
    assert all(each.hint for each in findings if each.level != "ok")
    return {each.subject: (each.level, each.message) for each in findings}


@pytest.mark.parametrize(
    ("image", "level", "message"),
    [
        ("quay.io/argoproj/workflow-controller:v3.5.14", "error", "Argo 3.5 is older than 3.6"),
        ("quay.io/argoproj/workflow-controller:v3.6.0", "ok", "3.6"),
        ("registry:5000/argo/workflow-controller:4.1.2-debian@sha256:ab", "ok", "4.1"),
    ],
)
def test_the_controllers_image_tells_its_version(image: str, level: str, message: str) -> None:
    said = found(WithArgo(image))
    assert said["Argo's version"][0] == level and said["Argo's version"][1].startswith(message)
    assert said["Argo's controller"] == ("ok", f"argo/argo-controller runs {image}")


@pytest.mark.parametrize(
    "image", ["workflow-controller:latest", "workflow-controller", "workflow-controller@sha256:1234"]
)
def test_a_tag_that_is_no_version_is_no_guess(image: str) -> None:
    assert "Argo's version" not in found(WithArgo(image))


def test_a_controller_without_a_ready_pod_or_none_at_all_is_told() -> None:
    level, message = found(WithArgo(ready=0))["Argo's controller"]
    assert level == "warning" and message.startswith("argo/argo-controller has no pod that is ready")
    level, message = found(WithArgo(image="nginx:1"))["Argo's controller"]
    assert level == "warning" and "without a controller trainings stay scheduling" in message


def test_where_the_controller_cannot_be_seen_argo_server_is_asked() -> None:
    with answering(Answer(200, {"version": "v3.4.1"})) as server:
        said = found(Closed(), url=server.address)
    assert said == {
        "Argo's version": ("error", "Argo 3.4 is older than 3.6, the oldest for which trainings are compiled")
    }
    assert server.asked == [("GET", "/api/v1/version")]
    with answering(Answer(401, {"version": 3})) as server:
        assert found(Closed(), url=server.address) == {}


def test_no_definitions_or_those_of_another_version_are_an_error() -> None:
    class Without(Closed):
        def get(self, kind: Kind, name: str) -> Object:
            raise NotFound("none")

    assert found(Without())["Argo"][0] == "error"
    assert found(WithArgo(version="v2"))["Argo"] == ("error", "workflows.argoproj.io serves v2, not v1alpha1")


def test_a_limit_on_waiting_needs_argo_4_1(tmp_path: Path) -> None:
    on_gpu, on_cpu = plan(tmp_path, resources=GPU), plan(tmp_path)
    refusing = WithArgo("workflow-controller:v4.0.7", BEFORE_4_1)
    assert found(refusing, on_gpu)["limit on waiting"][0] == "error"
    assert found(WithArgo("workflow-controller:v3.7.2"), on_gpu)["limit on waiting"][0] == "warning"
    assert "limit on waiting" not in found(refusing, on_cpu)
    assert "limit on waiting" not in found(WithArgo(fields=OF_4_1), on_gpu)
    unlimited = parse_profile("pools: {gpu: {pending_timeout: none}}", "profile.yaml")
    assert "limit on waiting" not in found(refusing, plan(tmp_path, unlimited, resources=GPU))


def test_a_workflow_that_no_object_can_hold_is_told_before_it_is_sent(tmp_path: Path) -> None:
    def size(downloads: int) -> list[tuple[str, str]]:
        data = [{"connName": "wine-data", "localPath": f"data/{number}"} for number in range(downloads)]
        planned = plan(tmp_path, data=data)
        findings = check(Closed(), planned.profile, [planned])  # type: ignore[arg-type]
        return [(each.level, each.message) for each in findings if each.subject == "workflow of wine"]

    assert size(10) == []
    [(level, message)] = size(1000)
    assert level == "error" and message.endswith("Argo's limit is 1048576")
