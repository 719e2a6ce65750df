"""`odahu-argo setup` on a real Kubernetes API: installation and permissions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, utils

from odahu_argo import naming
from odahu_argo.errors import NotFound
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import CONFIG_MAP, DEPLOYMENT, NAMESPACE, ROLE, SERVICE_ACCOUNT, Kind
from tests.commands import odahu_argo

pytestmark = pytest.mark.cluster

TRAINING = {("create", "argoproj.io", "workflowtaskresults"), ("patch", "argoproj.io", "workflowtaskresults")}
RECORDER = {
    *((verb, "argoproj.io", "workflows") for verb in ("get", "list", "watch", "patch")),
    *((verb, "", "configmaps") for verb in ("get", "list", "create", "update")),
    *((verb, "", "persistentvolumeclaims") for verb in ("get", "delete", "patch")),
    ("list", "", "events"),
    ("get", "", "pods"),
    ("list", "kueue.x-k8s.io", "workloads"),
    ("list", "kueue.x-k8s.io", "localqueues"),
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
RESOURCES = [
    *(("", name) for name in ("secrets", "pods", "configmaps", "persistentvolumeclaims", "serviceaccounts", "events")),
    *(("argoproj.io", name) for name in ("workflows", "workflowtaskresults", "workflowtemplates")),
    *(("kueue.x-k8s.io", name) for name in ("workloads", "localqueues", "clusterqueues")),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "roles"),
]


@pytest.fixture
def profile(kubeconfig: str, tmp_path: Path) -> Iterator[Path]:
    """A profile with a namespace that does not exist yet."""
    name = f"setup-{uuid.uuid4().hex[:12]}"
    file = tmp_path / "profile.yaml"
    file.write_text(f"# of a test\nnamespace: {name}\noutput_connection: zips\n", encoding="utf-8")
    yield file
    try:
        connect(name).delete(NAMESPACE, name)
    except NotFound:
        return


@pytest.fixture
def target(profile: Path) -> KubeCluster:
    """Client for the namespace of the profile."""
    return connect(yaml.safe_load(profile.read_text())["namespace"])


def granted(api: client.ApiClient, namespace: str, account: str) -> set[tuple[str, str, str]]:
    """Permissions of the account on RESOURCES."""
    return {
        (verb, group, resource)
        for group, resource in RESOURCES
        for verb in VERBS
        if may(api, namespace, account, verb, group, resource)
    }


def may(api: client.ApiClient, namespace: str, account: str, verb: str, group: str, resource: str) -> bool:
    attributes = client.V1ResourceAttributes(namespace=namespace, verb=verb, group=group, resource=resource)
    review = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(
            user=f"system:serviceaccount:{namespace}:{account}",
            groups=["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
            resource_attributes=attributes,
        )
    )
    return client.AuthorizationV1Api(api).create_subject_access_review(review).status.allowed


def exists(cluster: KubeCluster, kind: Kind, name: str) -> bool:
    try:
        cluster.get(kind, name)
    except NotFound:
        return False
    return True


def test_printed_manifests_can_be_created_with_kubectl(
    api: client.ApiClient, profile: Path, target: KubeCluster
) -> None:
    printed = odahu_argo("setup", "--profile", profile)
    assert printed.code == 0, printed.err
    assert not exists(target, NAMESPACE, target.namespace)
    for manifest in yaml.safe_load_all(printed.out):
        utils.create_from_dict(api, manifest)
    assert granted(api, target.namespace, "odahu-argo-training") == TRAINING
    again = odahu_argo("setup", "--profile", profile, "--apply")
    assert (again.code, {line.split()[-1] for line in again.out.splitlines()}) == (0, {"unchanged"})


def test_accounts_have_only_the_permissions_they_need(
    api: client.ApiClient, profile: Path, target: KubeCluster
) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    assert granted(api, target.namespace, "odahu-argo-training") == TRAINING
    assert granted(api, target.namespace, naming.RECORDER) == RECORDER
    assert not granted(api, "default", naming.RECORDER)


def test_reinstalling_changes_only_affected_objects(profile: Path, target: KubeCluster) -> None:
    first = odahu_argo("setup", "--profile", profile, "--apply")
    assert first.code == 0, first.err
    assert first.out.splitlines() == [
        f"Namespace {target.namespace} created",
        "ServiceAccount odahu-argo-training created",
        "Role odahu-argo-training created",
        "RoleBinding odahu-argo-training created",
        "ConfigMap odahu-argo-profile created",
        "ServiceAccount odahu-argo-recorder created",
        "Role odahu-argo-recorder created",
        "RoleBinding odahu-argo-recorder created",
        "Deployment odahu-argo-recorder created",
    ]
    second = odahu_argo("setup", "--profile", profile, "--apply")
    assert second.out == first.out.replace("created", "unchanged")
    profile.write_text(profile.read_text() + "controller_image: registry.example.org/controller:2\n")
    third = odahu_argo("setup", "--profile", profile, "--apply")
    changed = [line for line in third.out.splitlines() if not line.endswith(" unchanged")]
    assert changed == ["ConfigMap odahu-argo-profile configured", "Deployment odahu-argo-recorder configured"]


def test_commands_use_the_installed_profile(profile: Path, target: KubeCluster) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    assert target.get(CONFIG_MAP, "odahu-argo-profile")["data"] == {"profile.yaml": profile.read_text()}
    target.patch(CONFIG_MAP, "odahu-argo-profile", {"data": {"profile.yaml": "otput_connection: zips\n"}})
    result = odahu_argo("conn", "get", "-n", target.namespace)
    assert result.code == 2 and "did you mean output_connection?" in result.err


def test_recorder_meets_the_restricted_pod_security_standard(profile: Path, target: KubeCluster) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    target.patch(NAMESPACE, target.namespace, enforced)
    template = target.get(DEPLOYMENT, naming.RECORDER)["spec"]["template"]
    pod = {"metadata": {"name": "recorder", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    assert target.create(Kind("Pod", "pods"), pod, dry_run=True)["metadata"]["name"] == "recorder"


def test_rejected_object_prevents_the_installation_of_all(profile: Path, target: KubeCluster) -> None:
    selector = "pools: {cpu: {tolerations: [{key: a, operator: Exists, value: b}]}}\n"
    profile.write_text(profile.read_text() + selector)
    result = odahu_argo("setup", "--profile", profile, "--apply")
    assert result.code == 2 and "cannot patch Deployment odahu-argo-recorder" in result.err
    assert result.out == f"Namespace {target.namespace} created\n"
    assert not exists(target, SERVICE_ACCOUNT, "odahu-argo-training")
    assert not exists(target, ROLE, naming.RECORDER)


def test_missing_namespace_is_reported(kubeconfig: str) -> None:
    result = odahu_argo("setup", "-n", "not-there", "--apply")
    assert (result.code, result.out) == (2, "")
    assert "namespace not-there does not exist" in result.err
    other = odahu_argo("setup", "-n", "not-there", "--apply", "--context", "no-such-context")
    assert other.code == 2 and "no-such-context" in other.err
