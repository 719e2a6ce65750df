"""Following, stopping, editing and deleting trainings on a real Argo controller, and their history."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.commands import Running
from tests.servers.argo import ArgoSite

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]

STEPS = ["checkout", "train", "package"]


def is_training(status: dict[str, Any]) -> bool:
    states = {step["name"]: step["state"] for step in status["argo"]["steps"]}
    return status["state"] == "running" and states["train"] == "running"


def test_ctrl_c_detaches_and_stop_ends_training(site: ArgoSite) -> None:
    manifest = site.manifest("long", entrypoint="long")
    with Running("train", "create", "-f", manifest, "--profile", site.profile) as following:
        site.until(lambda: "train | begun" in following.text)
        following.process.send_signal(signal.SIGINT)
        assert following.end() == 130
    assert "training long keeps running" in following.text
    assert is_training(site.status("long"))
    assert site.run("train", "stop", "--id", "long").code == 0
    status = site.wait_for_end("long")
    assert status["state"] == "failed" and "stopped" in status["message"]
    assert "long-1-workspace" in site.claims(), "a stopped training can be retried"


def test_edit_stops_current_run_and_keeps_it_in_history(site: ArgoSite) -> None:
    assert site.run("train", "create", "-f", site.manifest("again", entrypoint="long"), "--no-wait").code == 0
    site.wait("again", is_training)
    result = site.run("train", "edit", "-f", site.manifest("again", hyperParameters={"text": "second"}))
    assert result.code == 0, result.err
    runs = json.loads(site.run("train", "history", "--id", "again", "-o", "json").out)
    assert [(item["attempt"], item["status"]["state"]) for item in runs] == [(2, "succeeded"), (1, "failed")]
    assert "stopped" in runs[1]["status"]["message"] and runs[1]["spec"]["entrypoint"] == "long"
    site.wait_until_gone("again-1-workspace")
    site.wait_until_gone("again-2-workspace")


def test_logs_follow_all_pods_and_outlive_them_in_the_archive(site: ArgoSite) -> None:
    assert site.run("train", "create", "-f", site.manifest("logged"), "--no-wait").code == 0
    followed = site.run("train", "logs", "--id", "logged", "--follow")
    lines = followed.out.splitlines()
    assert list(dict.fromkeys(line.partition(" | ")[0] for line in lines)) == STEPS
    assert "train | text: 'none'" in lines and "argo=true" not in followed.out
    assert site.run("train", "logs", "--id", "logged").out == followed.out
    pods = client.CoreV1Api(site.api)
    pods.delete_collection_namespaced_pod(
        site.namespace, label_selector="workflows.argoproj.io/workflow=logged-1", grace_period_seconds=0
    )
    site.until(lambda: not site.pods("logged-1"))
    archived = site.run("train", "logs", "--id", "logged")
    assert archived.out == followed.out, archived.err


def test_training_outlives_its_expired_workflow(site: ArgoSite) -> None:
    profile = site.folder / "soon-gone.yaml"
    profile.write_text(yaml.safe_dump(site.settings(keep={"workflow": "5s", "pods": "1s"})))
    result = site.run("train", "create", "-f", site.manifest("brief"), profile=profile)
    assert result.code == 0, result.err
    before = site.status("brief")
    site.until(lambda: site.workflow("brief-1") is None)
    after = site.status("brief")
    assert after["argo"]["gone"] and not before["argo"]["gone"]
    assert (after["state"], after["artifacts"]) == ("succeeded", before["artifacts"])
    assert site.run("train", "delete", "--id", "brief").code == 0
    assert site.run("train", "get", "--id", "brief").code == 2
    assert not site.has_record("brief")


def test_delete_removes_running_training_and_its_resources(site: ArgoSite) -> None:
    assert site.run("train", "create", "-f", site.manifest("unwanted", entrypoint="long"), "--no-wait").code == 0
    site.wait("unwanted", is_training)
    assert site.run("train", "delete", "--id", "unwanted").code == 0
    site.until(lambda: site.workflow("unwanted-1") is None)
    site.until(lambda: not site.pods("unwanted-1"))
    site.wait_until_gone("unwanted-1-workspace")
    assert not site.has_record("unwanted")
    again = site.run("train", "delete", "--id", "unwanted", "--ignore-not-found")
    assert again.code == 0 and again.out == "training unwanted does not exist\n"


def test_recorder_keeps_status_of_unwatched_deleted_workflow(site: ArgoSite) -> None:
    assert site.run("train", "create", "-f", site.manifest("unseen", entrypoint="fail"), "--no-wait").code == 0
    site.until(lambda: (site.workflow("unseen-1") or {}).get("status", {}).get("phase") == "Failed")
    site.delete_workflow("unseen-1")
    status = site.status("unseen")
    assert (status["state"], status["exitCode"], status["argo"]["gone"]) == ("failed", 2, True)
