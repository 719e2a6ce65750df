"""Training commands on a real Kubernetes API. Recordings replace Argo's controller."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from odahu_argo import naming
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import Kind, Object
from odahu_argo.kube.config import load_config
from odahu_argo.status.state import read_status
from odahu_argo.trainings import actions, history
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.queries import find_training
from tests.cluster.site import COMMIT, GROUP, RUN, ZIP, Site
from tests.commands import Running
from tests.servers.controller import offload

pytestmark = pytest.mark.cluster


def test_create_and_get(site: Site) -> None:
    result = site.create()
    assert result.code == 0, result.err
    assert result.out.startswith(f"training wine submitted as workflow wine-1 in namespace {site.namespace}")
    assert site.get()["status"]["state"] == "scheduling"
    site.play("wine-1", "running-train")
    running = site.get()
    assert (running["status"]["state"], running["spec"]["model"]["name"]) == ("running", "wine")
    assert running["status"]["artifacts"] == [{"runId": "", "artifactName": "", "commitID": COMMIT}]
    site.play("wine-1", "succeeded")
    status = site.get()["status"]
    assert status["state"] == "succeeded"
    assert status["artifacts"] == [{"runId": RUN, "artifactName": ZIP, "commitID": COMMIT}]


def test_create_rejects_existing_id(site: Site) -> None:
    assert site.create().code == 0
    site.play("wine-1", "succeeded")
    again = site.create()
    assert again.code == 2 and "training 'wine' already exists: attempt 1, succeeded" in again.err
    assert "train edit" in again.err
    ignored = site.create("--ignore-if-exists")
    assert (ignored.code, ignored.out) == (0, "training wine already exists\n")
    assert site.workflows() == ["wine-1"]


def test_create_returns_running_training_with_same_content(site: Site) -> None:
    assert site.create().code == 0
    again = site.create()
    assert again.code == 0 and "is already running as workflow wine-1" in again.out
    other = site.create(hyperParameters={"alpha": "0.7"})
    assert other.code == 2, other.out
    assert site.workflows() == ["wine-1"]


def test_dry_run_submits_nothing(site: Site) -> None:
    result = site.create("--dry-run")
    assert result.code == 0 and "would be submitted as workflow wine-1" in result.out
    assert site.workflows() == []


def test_id_option_overrides_id_of_single_training(site: Site) -> None:
    assert site.create("--id", "wine-tuned").code == 0
    assert site.workflows() == ["wine-tuned-1"]


def test_edit_stops_current_run_and_keeps_it_in_history(site: Site) -> None:
    assert site.create().code == 0
    site.play("wine-1", "running-train")
    edited = site.run("train", "edit", "-f", site.manifest(hyperParameters={"alpha": "0.7"}), "--no-wait")
    assert edited.code == 0, edited.err
    assert "submitted as workflow wine-2" in edited.out
    assert site.workflow("wine-1")["spec"]["shutdown"] == "Stop"
    site.play("wine-1", "terminated")
    shown = json.loads(site.run("train", "history", "--id", "wine", "-o", "json").out)
    assert [(item["attempt"], item["status"]["state"]) for item in shown] == [(2, "scheduling"), (1, "failed")]
    assert shown[0]["spec"]["hyperParameters"] == {"alpha": "0.7"}


def test_history_outlives_the_workflow(site: Site) -> None:
    assert site.create().code == 0
    with Running("recorder", "-n", site.namespace) as recorder:
        site.play("wine-1", "succeeded")
        recorder.wait_for("wine: attempt 1 is succeeded")
        before = site.get()
        site.remove("wine-1")
        after = site.get()
    assert after["status"]["state"] == "succeeded"
    assert after["spec"] == before["spec"]
    assert after["status"]["artifacts"] == before["status"]["artifacts"]
    assert after["status"]["argo"]["gone"] is True


def test_recorder_keeps_status_of_deleted_workflow(site: Site) -> None:
    assert site.create().code == 0
    with Running("recorder", "-n", site.namespace) as recorder:
        recorder.wait_for("wine: attempt 1 is scheduling")
        site.play("wine-1", "oom")
        site.remove("wine-1")
        recorder.wait_for("wine: attempt 1 is failed")
    status = site.get()["status"]
    assert (status["state"], status["exitCode"]) == ("failed", 137)


def test_recorder_does_not_restore_deleted_training(site: Site) -> None:
    assert site.create().code == 0
    with Running("recorder", "-n", site.namespace) as recorder:
        recorder.wait_for("wine: attempt 1 is scheduling")
        deleted = site.run("train", "delete", "--id", "wine")
        assert (deleted.code, deleted.out) == (0, "training wine deleted\n")
        recorder.wait_for("wine: deleted")
    gone = site.run("train", "get", "--id", "wine")
    assert gone.code == 2 and "training 'wine' does not exist" in gone.err
    assert site.run("train", "delete", "--id", "wine").code == 2
    assert site.run("train", "delete", "--id", "wine", "--ignore-not-found").code == 0
    assert site.create().code == 0
    assert site.workflows() == ["wine-1"]


def test_reports_warning_events_of_pending_pod(site: Site) -> None:
    assert site.create().code == 0
    site.play("wine-1", "running-checkout-pending")
    workflow = site.workflow("wine-1")
    for node in workflow["status"]["nodes"].values():
        node.pop("message", None)
    objects = client.CustomObjectsApi(site.api)
    objects.patch_namespaced_custom_object(*GROUP, site.namespace, "workflows", "wine-1", {"status": None})
    objects.patch_namespaced_custom_object(
        *GROUP, site.namespace, "workflows", "wine-1", {"status": workflow["status"]}
    )
    assert site.get()["status"]["message"] == "waiting for the pod of step checkout to start"
    pod = read_status(workflow).steps[0].runs[0].pod
    for second, message in enumerate(
        ("before", 'MountVolume.SetUp failed for volume "x" : secret "connection-code" not found')
    ):
        about = {"kind": "Pod", "name": pod, "namespace": site.namespace}
        body = client.CoreV1Event(
            metadata=client.V1ObjectMeta(generate_name="of-the-pod-"),
            involved_object=client.V1ObjectReference(**about),
            type="Warning",
            reason="FailedMount",
            message=message,
            last_timestamp=f"2026-01-01T00:00:0{second}Z",
        )
        client.CoreV1Api(site.api).create_namespaced_event(site.namespace, body)
    status = site.get()["status"]
    assert (status["state"], status["reason"]) == ("scheduling", "FailedMount")
    assert status["message"].startswith("the Secret of connection code, which step checkout requires, does not exist")


def test_delete_completes_interrupted_deletion(site: Site) -> None:
    assert site.create().code == 0
    marked = {"metadata": {"annotations": {naming.DELETED_ANNOTATION: "true"}}}
    client.CustomObjectsApi(site.api).patch_namespaced_custom_object(
        *GROUP, site.namespace, "workflows", "wine-1", marked
    )
    assert site.run("train", "get", "--id", "wine").code == 2
    deleted = site.run("train", "delete", "--id", "wine")
    assert (deleted.code, site.workflows()) == (0, [])


def test_saving_history_does_not_restore_deleted_record(site: Site) -> None:
    assert site.create().code == 0
    cluster = connect(site.namespace)
    before = find_training(cluster, "wine")
    history.save(cluster, before)

    class DeletedMeanwhile(KubeCluster):
        def replace(self, kind: Kind, body: Object) -> Object:
            actions.delete(cluster, "wine")
            return super().replace(kind, body)

    failed = replace(before.newest, status=replace(before.newest.status, state="failed"))
    history.save(DeletedMeanwhile(load_config(), site.namespace), Training("wine", (failed,)))
    assert history.find_record(cluster, "wine") is None


def test_running_training_is_unknown_after_its_workflow_was_deleted(site: Site) -> None:
    assert site.create().code == 0
    with Running("recorder", "-n", site.namespace) as recorder:
        site.play("wine-1", "running-train")
        recorder.wait_for("wine: attempt 1 is running")
        site.remove("wine-1")
        recorder.wait_for("wine: attempt 1 is unknown")
    status = site.get()["status"]
    assert (status["state"], status["reason"]) == ("unknown", "Gone")
    assert status["message"].endswith("was running")
    assert status["artifacts"][0]["commitID"] == COMMIT


def test_recorder_deletes_workspace_of_replaced_attempt(site: Site) -> None:
    """An ended pod keeps its claim. Here, the finalizer that protects claims has the same effect."""
    assert site.create().code == 0
    site.make_claim("wine-1-workspace")
    site.make_claim("wine-2-workspace")
    site.play("wine-1", "running-train")
    with Running("recorder", "-n", site.namespace) as recorder:
        assert site.run("train", "edit", "-f", site.manifest(), "--no-wait").code == 0
        recorder.wait_for("wine: attempt 2 is scheduling")
        assert site.claims() == ["wine-1-workspace", "wine-2-workspace"]
        site.play("wine-1", "terminated")
        site.play("wine-2", "running-train")
        recorder.wait_for("wine: attempt 2 is running")
        site.play("wine-2", "train-failed")
        recorder.wait_for("wine: attempt 2 is failed")
    assert site.claims() == ["wine-2-workspace"]


def test_reports_logs_of_lost_node_as_missing(site: Site) -> None:
    """The node of a pod is gone, so the API cannot ask its kubelet."""
    core = client.CoreV1Api(site.api)
    node = f"lost-{site.namespace}"
    core.create_node({"metadata": {"name": node}})
    core.create_namespaced_pod(
        site.namespace,
        {
            "metadata": {
                "name": "wine-1-train",
                "labels": {"workflows.argoproj.io/workflow": "wine-1"},
                "annotations": {"workflows.argoproj.io/node-id": "wine-1-2802317361"},
            },
            "spec": {
                "nodeName": node,
                "serviceAccountName": "odahu-argo-training",
                "containers": [{"name": "main", "image": "example.org/any"}],
            },
        },
    )
    try:
        with Running("train", "create", "-f", site.manifest(), "-n", site.namespace) as waiting:
            waiting.wait_for("training wine is scheduling")
            site.play("wine-1", "train-failed")
            assert waiting.end() == 4
        assert "the log of train, attempt 1, is missing: cannot get the log of" in waiting.text
        read = site.run("train", "logs", "--id", "wine")
        assert read.code == 0 and "the log of train, attempt 1, is missing: cannot get the log of" in read.err
    finally:
        core.delete_node(node)


def test_retry_uses_existing_workspace(site: Site) -> None:
    assert site.create().code == 0
    core = client.CoreV1Api(site.api)
    site.make_claim("wine-1-workspace")
    assert site.run("train", "retry", "--id", "wine", "--no-wait").code == 2
    site.play("wine-1", "train-failed")
    retried = site.run("train", "retry", "--id", "wine", "--no-wait")
    assert retried.code == 0, retried.err
    spec = site.workflow("wine-2")["spec"]
    assert [task["name"] for task in spec["templates"][0]["dag"]["tasks"]] == ["train", "package"]
    assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == "wine-1-workspace"
    assert site.get()["status"]["artifacts"][0]["commitID"] == COMMIT
    owners = core.read_namespaced_persistent_volume_claim("wine-1-workspace", site.namespace).metadata.owner_references
    assert "wine-2" in [owner.name for owner in owners]


def test_wait_prints_result(site: Site) -> None:
    with Running("train", "create", "-f", site.manifest(), "-n", site.namespace) as waiting:
        waiting.wait_for("training wine is scheduling")
        site.play("wine-1", "running-train")
        waiting.wait_for("training wine is running")
        site.play("wine-1", "succeeded")
        assert waiting.end() == 0
    assert f"artifactName: {ZIP}" in waiting.text


def test_wait_exits_with_4_after_failure(site: Site) -> None:
    with Running("train", "create", "-f", site.manifest(), "-n", site.namespace) as waiting:
        waiting.wait_for("training wine is scheduling")
        site.play("wine-1", "oom")
        assert waiting.end() == 4
    assert "training 'wine' failed in train (exit code 137)" in waiting.text
    assert "memory" in waiting.text


def test_ctrl_c_detaches_from_training(site: Site) -> None:
    with Running("train", "create", "-f", site.manifest(), "-n", site.namespace) as waiting:
        waiting.wait_for("training wine is scheduling")
        waiting.process.send_signal(signal.SIGINT)
        assert waiting.end() == 130
    assert "training wine keeps running" in waiting.text
    assert "shutdown" not in site.workflow("wine-1")["spec"]


def test_wait_exits_with_5_after_timeout(site: Site) -> None:
    result = site.run("train", "create", "-f", site.manifest(), "--timeout", "1")
    assert result.code == 5 and "is still running after 1 s" in result.err


def test_log_of_pending_training_gives_reason(site: Site) -> None:
    assert site.create().code == 0
    result = site.run("train", "logs", "--id", "wine", "--not-follow")
    assert (result.code, result.out, result.err) == (0, "", "training wine is scheduling; no step has started\n")
    with Running("train", "logs", "--id", "wine", "-n", site.namespace) as following:
        following.wait_for("training wine is scheduling: Argo has not processed the workflow yet")
        site.play("wine-1", "succeeded")
        assert following.end() == 0


def test_stop(site: Site) -> None:
    assert site.create().code == 0
    assert site.run("train", "stop", "--id", "wine").out == "training wine is being stopped\n"
    assert site.workflow("wine-1")["spec"]["shutdown"] == "Stop"


def test_jsonpath_output_matches_odahuflowctl(site: Site) -> None:
    assert site.create().code == 0
    assert site.create("--id", "wine-b").code == 0
    one = site.run("train", "get", "--id", "wine", "-o", "jsonpath=[*].spec.model.name")
    assert one.out == "wine\n"
    both = site.run("train", "get", "-o", "jsonpath=[*].id")
    assert json.loads(both.out) == ["wine", "wine-b"]
    wrong = site.run("train", "get", "-o", "jsonpath=[[")
    assert wrong.code == 2 and "JSONPath" in wrong.err


def test_output_formats(site: Site) -> None:
    assert site.create().code == 0
    assert [item["id"] for item in yaml.safe_load(site.run("train", "get").out)] == ["wine"]
    table = site.run("train", "get", "-o", "table").out.splitlines()
    assert table[0].split() == ["ID", "STATE", "REASON", "MODEL", "VERSION", "AGE", "ARTIFACT"]
    assert table[1].split()[:2] == ["wine", "scheduling"]
    assert "wine-1" in site.run("train", "get", "-o", "wide").out


def test_watch_prints_one_line_per_change(site: Site) -> None:
    assert site.create().code == 0
    with Running("train", "get", "--watch", "-n", site.namespace) as watching:
        watching.wait_for("scheduling")
        site.play("wine-1", "running-train")
        watching.wait_for("running")
        site.play("wine-1", "succeeded")
        watching.wait_for(ZIP)


def test_reads_offloaded_nodes_from_argo_server(site: Site, tmp_path: Path) -> None:
    """The server is a stand-in: a real one needs the controller's database."""
    assert site.create().code == 0
    site.play("wine-1", "oom")
    whole = offload(site.api, site.namespace, "wine-1")
    assert "Argo Server" in json.dumps(site.get()["status"])
    with _answering(f"/api/v1/workflows/{site.namespace}/wine-1", whole) as url:
        profile = tmp_path / "with-server.yaml"
        profile.write_text(f"argo: {{url: '{url}'}}\n", encoding="utf-8")
        result = site.run("train", "get", "--id", "wine", "-o", "json", "--profile", profile)
    status = json.loads(result.out)[0]["status"]
    assert (status["state"], status["exitCode"], status["reason"]) == ("failed", 137, "OOMKilled")


def test_invalid_manifest_is_not_submitted(site: Site) -> None:
    result = site.create(resources={"limits": {"cpu": "lots"}})
    assert result.code == 2 and "resources.limits.cpu" in result.err
    assert site.workflows() == []


@contextmanager
def _answering(path: str, value: object) -> Iterator[str]:
    """A server that knows one path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == path else 404)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode() if self.path == path else b"{}")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()
