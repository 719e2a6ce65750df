"""What `odahu-argo setup` prints, applied to a real Kubernetes API, gives a training's pods their rights and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, utils

from tests.commands import odahu_argo

NAMESPACE = "odahu-argo-setup-test"


@pytest.fixture(scope="module")
def installed(api: client.ApiClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    profile: Path = tmp_path_factory.mktemp("setup") / "profile.yaml"
    profile.write_text(f"namespace: {NAMESPACE}\n")
    ran = odahu_argo("setup", "--profile", profile)
    assert ran.code == 0, ran.err
    for manifest in yaml.safe_load_all(ran.out):
        utils.create_from_dict(api, manifest)
    yield f"system:serviceaccount:{NAMESPACE}:odahu-argo-training"
    client.CoreV1Api(api).delete_namespace(NAMESPACE)


def may(api: client.ApiClient, account: str, verb: str, group: str, resource: str) -> bool:
    attributes = client.V1ResourceAttributes(namespace=NAMESPACE, verb=verb, group=group, resource=resource)
    review = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(
            user=account,
            groups=["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"],
            resource_attributes=attributes,
        )
    )
    return client.AuthorizationV1Api(api).create_subject_access_review(review).status.allowed


@pytest.mark.cluster
def test_the_account_may_report_results_and_nothing_else(api: client.ApiClient, installed: str) -> None:
    assert may(api, installed, "create", "argoproj.io", "workflowtaskresults")
    assert may(api, installed, "patch", "argoproj.io", "workflowtaskresults")
    for verb, group, resource in [
        ("get", "", "secrets"),
        ("list", "", "pods"),
        ("patch", "", "pods"),
        ("get", "argoproj.io", "workflows"),
        ("delete", "argoproj.io", "workflowtaskresults"),
        ("get", "", "configmaps"),
    ]:
        assert not may(api, installed, verb, group, resource), f"{verb} {resource}"
