"""Compiled workflows: scheduling, security, limits and absence of secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from odahu_argo import Profile, build_plans, compile_workflow, explain, load, resolve
from odahu_argo.compile.emit import to_yaml
from odahu_argo.errors import UserError
from odahu_argo.plan.build import plan_trainings
from odahu_argo.pools import GpuPool, Pool, Pools, Toleration
from odahu_argo.profile import TrackingSettings, WorkspaceVolume, parse_profile
from tests.manifests import CONNECTIONS, plan, training, write

GPU = {"limits": {"gpu": "2"}}
POOLS = Pools(
    cpu=Pool(node_selector={"pool": "cpu"}),
    gpu=GpuPool(
        resource_name="amd.com/gpu",
        node_selector={"pool": "gpu"},
        tolerations=(Toleration(key="dedicated", operator="Exists"),),
        pending_timeout="10m",
    ),
    other_steps="on_cpu",
)


def templates(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {template["name"]: template for template in workflow["spec"]["templates"] if "container" in template}


def test_only_training_requests_gpus(tmp_path: Path) -> None:
    compiled = templates(compile_workflow(plan(tmp_path, Profile(pools=POOLS), resources=GPU)))
    train = compiled.pop("train")
    assert train["container"]["resources"]["limits"]["amd.com/gpu"] == "2"
    assert "amd.com/gpu" not in train["container"]["resources"]["requests"]
    assert train["nodeSelector"] == {"pool": "gpu"}
    assert train["metadata"]["annotations"] == {"odahu.org/pending-timeout": "600s"}
    assert train["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    for other in compiled.values():
        assert "amd.com/gpu" not in json.dumps(other)
        assert other["nodeSelector"] == {"pool": "cpu"}
        assert "annotations" not in other["metadata"]
        assert "tolerations" not in other


def test_steps_mount_only_their_secrets(tmp_path: Path) -> None:
    compiled = templates(compile_workflow(plan(tmp_path)))
    mounted = {name: [v["secret"]["secretName"] for v in t.get("volumes", [])] for name, t in compiled.items()}
    assert mounted == {
        "checkout": ["connection-code"],
        "download-wine-data": ["connection-wine-data"],
        "train": [],
        "package": ["connection-models-output"],
    }


def test_pods_conform_to_restricted_standard(tmp_path: Path) -> None:
    workflow = compile_workflow(plan(tmp_path))
    pod = workflow["spec"]["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == 1000
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    patch = json.loads(workflow["spec"]["podSpecPatch"])
    own = [template["container"] for template in templates(workflow).values()]
    own += templates(workflow)["train"]["initContainers"]
    for container in [*own, *patch["initContainers"], *patch["containers"]]:
        context = container["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_retries_faults_only(tmp_path: Path) -> None:
    for template in templates(compile_workflow(plan(tmp_path))).values():
        retry = template["retryStrategy"]
        assert "retryPolicy" not in retry  # with an expression, Argo's default is Always
        assert retry["expression"].startswith(
            "lastRetry.status == 'Error' or not (lastRetry.message matches 'deadline|OOM')"
        )
        assert "[3, 137, 143]" in retry["expression"]
        assert int(retry["limit"]) > 0


def test_retries_after_faults_and_interruptions(tmp_path: Path) -> None:
    """Argo's limit is the sum; the steps know the two limits, which only differ from their defaults if the profile does."""
    compiled = templates(compile_workflow(plan(tmp_path)))
    limits = {name: template["retryStrategy"]["limit"] for name, template in compiled.items()}
    assert limits == {"checkout": "13", "download-wine-data": "13", "train": "11", "package": "13"}
    assert "ODAHU_ARGO_RETRIES" not in json.dumps(compiled)
    profile = parse_profile("retries: {train: 2, interrupted: 5}", "profile.yaml")
    compiled = templates(compile_workflow(plan(tmp_path, profile)))
    assert compiled["train"]["retryStrategy"]["limit"] == "7"
    assert {"name": "ODAHU_ARGO_RETRIES", "value": "2,5"} in compiled["train"]["initContainers"][0]["env"]
    assert {"name": "ODAHU_ARGO_RETRIES", "value": "3,5"} in compiled["package"]["container"]["env"]


def test_steps_know_their_run_with_any_version_of_argo(tmp_path: Path) -> None:
    """Argo before 4.1 sets ARGO_WORKFLOW_NAME in its own containers only."""
    compiled = templates(compile_workflow(plan(tmp_path)))
    run = {"name": "ODAHU_ARGO_RUN", "value": "{{workflow.name}}"}
    for name, template in compiled.items():
        container = template["initContainers"][0] if name == "train" else template["container"]
        assert run in container["env"], name


def test_pods_have_grace_period(tmp_path: Path) -> None:
    patch = json.loads(compile_workflow(plan(tmp_path))["spec"]["podSpecPatch"])
    assert patch["terminationGracePeriodSeconds"] == 120
    profile = parse_profile("grace_period: 10m\nrestrict_executor: false\n", "profile.yaml")
    assert json.loads(compile_workflow(plan(tmp_path, profile))["spec"]["podSpecPatch"]) == {
        "terminationGracePeriodSeconds": 600
    }


def test_downloads_continue_without_fail_fast(tmp_path: Path) -> None:
    workflow = compile_workflow(plan(tmp_path, parse_profile("fail_fast: false", "profile.yaml")))
    assert workflow["spec"]["templates"][0]["dag"]["failFast"] is False
    environments = {name: template["container"]["env"] for name, template in templates(workflow).items()}
    variable = {"name": "ODAHU_ARGO_FAIL_FAST", "value": "false"}
    assert [name for name, environment in environments.items() if variable in environment] == ["download-wine-data"]


def test_retries_transient_faults_of_init_containers(tmp_path: Path) -> None:
    expressions = {
        name: template["retryStrategy"]["expression"]
        for name, template in templates(compile_workflow(plan(tmp_path))).items()
    }
    steps = {
        name for name, expression in expressions.items() if "matches '^prepare: .*exit code (3|143)[)]'" in expression
    }
    assert steps == {"train"}


def test_gpu_steps_are_retried_like_others(tmp_path: Path) -> None:
    on_gpu = templates(compile_workflow(plan(tmp_path, resources=GPU)))
    on_cpu = templates(compile_workflow(plan(tmp_path)))
    assert on_gpu["train"]["retryStrategy"] == on_cpu["train"]["retryStrategy"]
    assert "pendingTimeout" not in on_gpu["train"]


def test_cleanup_and_time_limits(tmp_path: Path) -> None:
    spec = compile_workflow(plan(tmp_path))["spec"]
    assert spec["volumeClaimGC"] == {"strategy": "OnWorkflowSuccess"}
    assert spec["podGC"] == {"strategy": "OnWorkflowCompletion", "deleteDelayDuration": "1209600s"}
    assert spec["ttlStrategy"] == {"secondsAfterCompletion": 30 * 86400}
    assert spec["activeDeadlineSeconds"] == 7 * 86400
    assert spec["archiveLogs"] is True
    assert spec["synchronization"] == {"mutexes": [{"name": "training-wine"}]}
    bounds = {name: t["activeDeadlineSeconds"] for name, t in templates({"spec": spec}).items()}
    assert bounds == {"checkout": "1800", "download-wine-data": "43200", "train": "259200", "package": "10800"}


def test_labels_and_annotations(tmp_path: Path) -> None:
    metadata = compile_workflow(plan(tmp_path, Profile(namespace="ml")))["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("wine-1", "ml")
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "odahu-argo",
        "odahu.org/training-id": "wine",
        "odahu.org/model-name": "wine",
        "odahu.org/model-version": "1.0",
        "odahu.org/toolchain": "mlflow",
        "odahu.org/attempt": "1",
    }
    assert metadata["annotations"]["workflows.argoproj.io/title"] == "Train wine 1.0"
    assert json.loads(metadata["annotations"]["odahu.org/training-spec"])["model"]["name"] == "wine"


def test_template_names_are_unique(tmp_path: Path) -> None:
    other = CONNECTIONS + "---\nkind: Connection\nid: wine-data-attempt\nspec: {type: s3, uri: s3://wine/x/}\n"
    data = [{"connName": name, "localPath": f"{name}/"} for name in ("wine-data", "wine-data-attempt")]
    profile = Profile(pools=Pools(other_steps="with_training"))
    manifests = load([write(tmp_path, training(data=data, resources=GPU), connections=other)])
    [planned] = build_plans(resolve(manifests, profile), profile)
    names = [template["name"] for template in compile_workflow(planned)["spec"]["templates"]]
    assert len(set(names)) == len(names) == 6


def test_results_are_global_output_parameters(tmp_path: Path) -> None:
    compiled = templates(compile_workflow(plan(tmp_path)))
    outputs = [p for t in compiled.values() for p in t.get("outputs", {}).get("parameters", [])]
    assert {p["globalName"]: p["valueFrom"]["path"] for p in outputs} == {
        "commit-id": "/workspace/results/commit-id",
        "run-id": "/workspace/results/run-id",
        "artifact-name": "/workspace/results/artifact-name",
    }


def test_workspace_from_profile(tmp_path: Path) -> None:
    profile = Profile(workspace=WorkspaceVolume(size="50Gi", storage_class="fast", access_mode="ReadWriteMany"))
    [claim] = compile_workflow(plan(tmp_path, profile))["spec"]["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "50Gi"}},
    }


def test_only_mlflow_steps_get_tracking_credentials(tmp_path: Path) -> None:
    profile = Profile(tracking=TrackingSettings(uri="http://mlflow:5000", credentials_secret="mlflow"))
    with_tracking = [
        name
        for name, template in templates(compile_workflow(plan(tmp_path, profile))).items()
        if {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow:5000"} in template["container"]["env"]
        and template["container"]["envFrom"] == [{"secretRef": {"name": "mlflow"}}]
    ]
    assert with_tracking == ["train", "package"]


def variables(workflow: dict[str, Any], step: str) -> dict[str, str]:
    """Return the variables of a step's containers."""
    template = templates(workflow)[step]
    containers = [*template.get("initContainers", ()), template["container"]]
    return {each["name"]: each["value"] for container in containers for each in container["env"]}


def test_tracking_in_workspace_without_server(tmp_path: Path) -> None:
    workflow = compile_workflow(plan(tmp_path))
    for step in ("train", "package"):
        assert variables(workflow, step)["MLFLOW_TRACKING_URI"] == "sqlite:////workspace/mlflow.db"
        assert variables(workflow, step)["ODAHU_ARGO_MLFLOW_ARTIFACTS"] == "file:///workspace/mlflow-artifacts"


def test_tracking_server_of_training_overrides_profile(tmp_path: Path) -> None:
    own = [{"name": "MLFLOW_TRACKING_URI", "value": "http://own:5000"}]
    workflow = compile_workflow(plan(tmp_path, Profile(tracking=TrackingSettings(uri="http://site:5000")), envs=own))
    assert "MLFLOW_TRACKING_URI" not in variables(workflow, "train")
    assert json.loads(variables(workflow, "train")["ODAHU_ARGO_STEP"])["environment"] == {
        "MLFLOW_TRACKING_URI": "http://own:5000"
    }


def test_attempt_number_in_name(tmp_path: Path) -> None:
    assert compile_workflow(plan(tmp_path), attempt=2)["metadata"]["name"] == "wine-2"


def test_rejects_workflow_over_size_limit(tmp_path: Path) -> None:
    data = [{"connName": "wine-data", "localPath": f"{number}/"} for number in range(1000)]
    with pytest.raises(UserError, match="Argo's limit is 1048576"):
        compile_workflow(plan(tmp_path, data=data))


CANARIES = {
    "password": "canary-password",
    "keyID": "canary-key-id",
    "keySecret": "canary-key-secret",
    "username": "user",
    "publicKey": "canary-public-key",
    "role": "canary-role",
}


def test_output_contains_no_secrets(tmp_path: Path) -> None:
    connections = "---\n".join(
        json.dumps({"kind": "Connection", "id": name, "spec": {"type": kind, "uri": uri, **CANARIES}}) + "\n"
        for name, kind, uri in [
            ("code", "git", "https://user:canary-uri@git.example.org/x.git?token=canary-token"),
            ("wine-data", "azureblob", "https://x.blob.core.windows.net/y?sig=canary-signature"),
            ("models-output", "s3", "s3://x/y"),
        ]
    )
    manifests = load([write(tmp_path, training(), connections=connections)])
    [planned] = build_plans(resolve(manifests, Profile()), Profile())
    text = to_yaml([compile_workflow(planned)])
    assert "connection-models-output" in text
    assert "canary" not in text
    assert "canary" not in repr(planned)
    assert "canary" not in explain(planned)


def test_user_text_is_no_argo_syntax(tmp_path: Path) -> None:
    hostile = "{{workflow.name}} {{=1+1}} $(PATH)"
    workflow = compile_workflow(
        plan(
            tmp_path,
            workDir=hostile,
            entrypoint=hostile,
            reference=hostile.replace(" ", ""),
            hyperParameters={"a": hostile},
            envs=[{"name": "A", "value": hostile}],
            data=[{"connName": "wine-data", "localPath": hostile, "remotePath": hostile}],
        )
    )
    text = to_yaml([workflow])
    assert "{{" not in text.replace("{name: ODAHU_ARGO_RUN, value: '{{workflow.name}}'}", "")
    assert "$(" not in text


def test_rejects_step_specification_over_size_limit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the limit is 120000"):
        compile_workflow(plan(tmp_path, hyperParameters={"a": "x" * 130_000}))


def test_training_image_is_prepared_by_runner_image(tmp_path: Path) -> None:
    profile = Profile(runner_image="runner:1", environments_claim="environments")
    train = templates(compile_workflow(plan(tmp_path, profile, image="pytorch:2")))["train"]
    [prepare] = train["initContainers"]
    assert (prepare["name"], prepare["image"]) == ("prepare", "runner:1")
    assert prepare["command"] == ["python", "-m", "odahu_argo.steps", "prepare"]
    main = train["container"]
    assert (main["image"], main["command"]) == ("pytorch:2", ["/bin/sh", "/workspace/launch/start.sh"])
    assert "ODAHU_ARGO_STEP" not in {variable["name"] for variable in main["env"]}
    assert {"name": "environments", "persistentVolumeClaim": {"claimName": "environments"}} in train["volumes"]
    mounted = {mount["mountPath"] for mount in main["volumeMounts"]}
    assert mounted == {"/workspace", "/var/lib/odahu-argo/environments"}


def test_toolchain_of_package_is_not_prepared(tmp_path: Path) -> None:
    own = {
        "kind": "ToolchainIntegration",
        "id": "own",
        "spec": {"entrypoint": "least-squares", "defaultImage": "own:1"},
    }
    [planned] = plan_trainings(load([write(tmp_path, training(toolchain="own"), own)]), Profile())
    train = templates(compile_workflow(planned))["train"]
    assert "initContainers" not in train
    assert train["container"]["command"] == ["python", "-m", "odahu_argo.steps", "train"]


def test_program_of_odahu_gets_description_without_secrets(tmp_path: Path) -> None:
    own = {
        "kind": "ToolchainIntegration",
        "id": "own",
        "spec": {"entrypoint": "/usr/local/bin/training-data-helper", "defaultImage": "helper:1"},
    }
    file = write(tmp_path, training(toolchain="own", hyperParameters={"a": "1"}), own)
    [planned] = plan_trainings(load([file]), Profile())
    workflow = compile_workflow(planned)
    manifest = json.loads(variables(workflow, "train")["ODAHU_ARGO_STEP"])["manifest"]
    assert manifest["modelTraining"]["spec"]["hyperParameters"] == {"a": "1"}
    assert manifest["toolchainIntegration"]["spec"]["entrypoint"] == "/usr/local/bin/training-data-helper"
    assert manifest["algorithmSourceConnection"]["spec"]["type"] == "git"
    compiled = templates(workflow)
    assert "outputs" not in compiled["train"]
    assert [result["name"] for result in compiled["package"]["outputs"]["parameters"]] == ["run-id", "artifact-name"]
