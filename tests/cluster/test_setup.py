"""What `odahu-argo setup` prints or installs on a real Kubernetes API gives each account its rights and no more."""

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
    *((verb, "argoproj.io", "workflows") for verb in ("get", "list", "watch")),
    *((verb, "", "configmaps") for verb in ("get", "list", "create", "update")),
    *((verb, "", "persistentvolumeclaims") for verb in ("get", "delete", "patch")),
    ("list", "", "events"),
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
RESOURCES = [
    *(("", name) for name in ("secrets", "pods", "configmaps", "persistentvolumeclaims", "serviceaccounts", "events")),
    *(("argoproj.io", name) for name in ("workflows", "workflowtaskresults", "workflowtemplates")),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "roles"),
]


@pytest.fixture
def profile(kubeconfig: str, tmp_path: Path) -> Iterator[Path]:
    """A profile with a namespace that is not there yet."""
    name = f"setup-{uuid.uuid4().hex[:12]}"
    file = tmp_path / "profile.yaml"
    file.write_text(f"# of a test\nnamespace: {name}\noutput_connection: zips\n", encoding="utf-8")
    yield file
    try:
        connect(name).delete(NAMESPACE, name)
    except NotFound:
        return


@pytest.fixture
def there(profile: Path) -> KubeCluster:
    """The namespace that the profile names."""
    return connect(yaml.safe_load(profile.read_text())["namespace"])


def granted(api: client.ApiClient, namespace: str, account: str) -> set[tuple[str, str, str]]:
    """What the account may do, of all verbs on some resources."""
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


def is_there(cluster: KubeCluster, kind: Kind, name: str) -> bool:
    try:
        cluster.get(kind, name)
    except NotFound:
        return False
    return True


def test_what_is_printed_can_be_created_as_it_is(api: client.ApiClient, profile: Path, there: KubeCluster) -> None:
    printed = odahu_argo("setup", "--profile", profile)
    assert printed.code == 0, printed.err
    assert not is_there(there, NAMESPACE, there.namespace)
    for manifest in yaml.safe_load_all(printed.out):
        utils.create_from_dict(api, manifest)
    assert granted(api, there.namespace, "odahu-argo-training") == TRAINING
    again = odahu_argo("setup", "--profile", profile, "--apply")
    assert (again.code, {line.split()[-1] for line in again.out.splitlines()}) == (0, {"unchanged"})


def test_each_account_may_do_its_work_and_nothing_else(
    api: client.ApiClient, profile: Path, there: KubeCluster
) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    assert granted(api, there.namespace, "odahu-argo-training") == TRAINING
    assert granted(api, there.namespace, naming.RECORDER) == RECORDER
    assert not granted(api, "default", naming.RECORDER)


def test_installing_twice_changes_nothing_and_a_new_setting_only_what_it_is_for(
    profile: Path, there: KubeCluster
) -> None:
    first = odahu_argo("setup", "--profile", profile, "--apply")
    assert first.code == 0, first.err
    assert first.out.splitlines() == [
        f"Namespace {there.namespace} created",
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
    profile.write_text(profile.read_text() + "runner_image: registry.example.org/runner:2\n")
    third = odahu_argo("setup", "--profile", profile, "--apply")
    changed = [line for line in third.out.splitlines() if not line.endswith(" unchanged")]
    assert changed == ["ConfigMap odahu-argo-profile configured", "Deployment odahu-argo-recorder configured"]


def test_every_command_then_works_by_the_installed_profile(profile: Path, there: KubeCluster) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    assert there.get(CONFIG_MAP, "odahu-argo-profile")["data"] == {"profile.yaml": profile.read_text()}
    there.patch(CONFIG_MAP, "odahu-argo-profile", {"data": {"profile.yaml": "otput_connection: zips\n"}})
    ran = odahu_argo("conn", "get", "-n", there.namespace)
    assert ran.code == 2 and "did you mean output_connection?" in ran.err


def test_the_recorder_is_let_in_where_the_restricted_standard_is_enforced(profile: Path, there: KubeCluster) -> None:
    assert odahu_argo("setup", "--profile", profile, "--apply").code == 0
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    there.patch(NAMESPACE, there.namespace, enforced)
    template = there.get(DEPLOYMENT, naming.RECORDER)["spec"]["template"]
    pod = {"metadata": {"name": "recorder", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    assert there.create(Kind("Pod", "pods"), pod, dry_run=True)["metadata"]["name"] == "recorder"


def test_what_the_api_refuses_leaves_the_rest_uninstalled(profile: Path, there: KubeCluster) -> None:
    selector = "pools: {cpu: {tolerations: [{key: a, operator: Exists, value: b}]}}\n"
    profile.write_text(profile.read_text() + selector)
    ran = odahu_argo("setup", "--profile", profile, "--apply")
    assert ran.code == 2 and "cannot patch Deployment odahu-argo-recorder" in ran.err
    assert ran.out == f"Namespace {there.namespace} created\n"
    assert not is_there(there, SERVICE_ACCOUNT, "odahu-argo-training")
    assert not is_there(there, ROLE, naming.RECORDER)


def test_a_namespace_that_nobody_makes_is_told(kubeconfig: str) -> None:
    ran = odahu_argo("setup", "-n", "not-there", "--apply")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no namespace not-there" in ran.err
    other = odahu_argo("setup", "-n", "not-there", "--apply", "--context", "no-such-context")
    assert other.code == 2 and "no-such-context" in other.err
