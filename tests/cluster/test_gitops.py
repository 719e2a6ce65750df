"""Rendered objects applied by kubectl to a real Kubernetes API with Argo's CRDs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from odahu_argo import naming
from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import PERSISTENT_VOLUME_CLAIM, WORKFLOW, Kind, Object
from odahu_argo.trainings import history
from odahu_argo.trainings.queries import find_training
from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write
from tests.servers.controller import play

TEMPLATE = Kind("WorkflowTemplate", "workflowtemplates", "argoproj.io", "v1alpha1")

pytestmark = pytest.mark.cluster


def render(folder: Path, **spec: Any) -> Path:
    write(folder, training(**{"schedules": ["@daily"], **spec}))
    result = odahu_argo("render", "-f", folder / "manifests.yaml", "-o", folder / "git")
    assert result.code == 0, result.err
    return folder / "git"


def kubectl(cluster: KubeCluster, *arguments: object) -> CommandResult:
    command = ["kubectl", "-n", cluster.namespace, *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True)
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


def workflow_names(cluster: KubeCluster) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.list(WORKFLOW).items]


def test_api_accepts_rendered_objects_with_strict_validation(cluster: KubeCluster, tmp_path: Path) -> None:
    strictly = ("--server-side", "--dry-run=server", "--validate=strict")
    result = kubectl(cluster, "apply", *strictly, "-k", render(tmp_path))
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 3


def test_templates_are_applied_first_and_reapplying_changes_nothing(cluster: KubeCluster, tmp_path: Path) -> None:
    folder = render(tmp_path)
    first, again = kubectl(cluster, "apply", "-k", folder), kubectl(cluster, "apply", "-k", folder)
    kinds = [line.partition(".")[0] for line in first.out.splitlines()]
    assert (kinds[0], set(kinds[1:])) == ("workflowtemplate", {"workflow", "cronworkflow"}), first.err
    assert [line.rpartition(" ")[2] for line in again.out.splitlines()] == ["unchanged"] * 3


def test_change_creates_a_workflow_and_revert_reuses_the_first(cluster: KubeCluster, tmp_path: Path) -> None:
    kubectl(cluster, "apply", "-k", render(tmp_path))
    [first] = workflow_names(cluster)
    kubectl(cluster, "apply", "-k", render(tmp_path, hyperParameters={"alpha": "0.7"}))
    assert len(workflow_names(cluster)) == 2
    kubectl(cluster, "apply", "-k", render(tmp_path))
    assert len(workflow_names(cluster)) == 2
    assert first in workflow_names(cluster)


def begun(api: client.ApiClient, cluster: KubeCluster, workflow: str, recording: str) -> None:
    """Store the template's spec in the status like Argo's controller, and apply a recording."""
    template = cluster.get(TEMPLATE, "wine")["spec"]
    spec: Object = cluster.get(WORKFLOW, workflow)["spec"]
    cluster.patch(
        WORKFLOW,
        workflow,
        {"metadata": template["workflowMetadata"], "status": {"storedWorkflowTemplateSpec": {**template, **spec}}},
    )
    play(api, cluster.namespace, workflow, recording)


def create_scheduled_run(cluster: KubeCluster, time: int) -> str:
    """Create a workflow like Argo's controller does for a CronWorkflow at this time."""
    cron = cluster.get(Kind("CronWorkflow", "cronworkflows", "argoproj.io", "v1alpha1"), "wine")
    name = f"wine-{time}"
    labels = {**cron["spec"]["workflowMetadata"]["labels"], "workflows.argoproj.io/cron-workflow": "wine"}
    cluster.create(WORKFLOW, {"metadata": {"name": name, "labels": labels}, "spec": cron["spec"]["workflowSpec"]})
    return name


def recorded_attempts(cluster: KubeCluster) -> list[tuple[int, str, str]]:
    """Number, workflow and state of the attempts, after they were recorded as the recorder does."""
    training = find_training(cluster, "wine")
    history.save(cluster, training)
    return [(attempt.number, attempt.workflow, attempt.status.state) for attempt in training.attempts]


def test_gitops_and_scheduled_runs_are_attempts_in_order(
    api: client.ApiClient, cluster: KubeCluster, tmp_path: Path
) -> None:
    kubectl(cluster, "apply", "-k", render(tmp_path))
    [run] = workflow_names(cluster)
    assert recorded_attempts(cluster) == [(1, run, "scheduling")]
    begun(api, cluster, run, "succeeded")
    scheduled = create_scheduled_run(cluster, 1732492800)
    assert recorded_attempts(cluster) == [(1, run, "succeeded"), (2, scheduled, "scheduling")]
    begun(api, cluster, scheduled, "train-failed")
    cluster.delete(WORKFLOW, run)
    assert recorded_attempts(cluster) == [(1, run, "succeeded"), (2, scheduled, "failed")]
    later = create_scheduled_run(cluster, 1732579200)
    assert recorded_attempts(cluster)[1:] == [(2, scheduled, "failed"), (3, later, "scheduling")]
    newest = find_training(cluster, "wine").newest
    assert newest.spec["model"]["name"] == "wine"


def test_run_has_digest_and_spec_of_its_template(api: client.ApiClient, cluster: KubeCluster, tmp_path: Path) -> None:
    kubectl(cluster, "apply", "-k", render(tmp_path))
    [run] = workflow_names(cluster)
    begun(api, cluster, run, "running")
    training = find_training(cluster, "wine")
    assert naming.run_name("wine", training.newest.digest) == run
    assert training.newest.spec["data"] == [{"connName": "wine-data", "localPath": "data/"}]


def test_retries_failed_gitops_run(api: client.ApiClient, cluster: KubeCluster, tmp_path: Path) -> None:
    kubectl(cluster, "apply", "-k", render(tmp_path))
    [run] = workflow_names(cluster)
    begun(api, cluster, run, "train-failed")
    claim = cluster.get(TEMPLATE, "wine")["spec"]["volumeClaimTemplates"][0]["spec"]
    cluster.create(PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": f"{run}-workspace"}, "spec": claim})
    result = odahu_argo("train", "retry", "-n", cluster.namespace, "--id", "wine", "--no-wait")
    assert result.code == 0, result.err
    resumed = cluster.get(WORKFLOW, "wine-2")["spec"]
    assert [task["name"] for task in resumed["templates"][0]["dag"]["tasks"]] == ["train", "package"]
    assert resumed["volumes"][0]["persistentVolumeClaim"]["claimName"] == f"{run}-workspace"
    assert [number for number, _, _ in recorded_attempts(cluster)] == [1, 2]


def test_describes_differences_from_cluster(cluster: KubeCluster, tmp_path: Path) -> None:
    folder = render(tmp_path, hyperParameters={"alpha": "0.5"})
    options = ("-f", tmp_path / "manifests.yaml", "-o", folder, "-n", cluster.namespace)
    missing = odahu_argo("diff", *options)
    assert (missing.code, missing.out) == (1, "training wine on the cluster: does not exist yet\n"), missing.err
    kubectl(cluster, "apply", "-k", folder)
    same = odahu_argo("diff", *options)
    assert (same.code, same.out) == (0, "no difference: wine\n"), same.err
    write(tmp_path, training(schedules=["@daily"], hyperParameters={"alpha": "0.7"}))
    changed = odahu_argo("diff", *options)
    assert changed.code == 1
    assert [line.partition("; ")[0] for line in changed.out.splitlines()] == [
        f"training wine in {folder}: alpha 0.5 -> 0.7",
        "training wine on the cluster: alpha 0.5 -> 0.7",
    ]
