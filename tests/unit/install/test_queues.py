"""Queues of Kueue from the teams of a profile."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from odahu_argo.errors import UserError
from odahu_argo.install.queues import queue_manifests
from odahu_argo.profile import parse_profile

PROFILE = """\
pools:
  cpu: {name: standard}
  gpu:
    - {name: a100, node_selector: {accelerator: a100}}
    - {name: mi300, resource_name: amd.com/gpu}
    - {name: unused}
teams:
  - name: team-a
    quota:
      standard: {cpu: 32, memory: 128Gi}
      a100: {cpu: 64, memory: 512Gi, gpu: 8}
  - name: team-b
    namespace: ml-b
    quota: {mi300: {cpu: 16, memory: 64Gi, gpu: 2}}
"""


def rendered(text: str = PROFILE) -> dict[tuple[str, str], dict[str, Any]]:
    objects = yaml.safe_load_all(queue_manifests(parse_profile(text, "profile.yaml"), "ml"))
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def test_flavors_are_the_pools_with_a_quota() -> None:
    objects = rendered()
    assert [name for kind, name in objects if kind == "ResourceFlavor"] == ["standard", "a100", "mi300"]
    assert objects["ResourceFlavor", "a100"]["spec"] == {"nodeLabels": {"accelerator": "a100"}}


def test_each_team_has_a_queue_in_its_namespace() -> None:
    objects = rendered()
    assert objects["LocalQueue", "team-a"]["metadata"]["namespace"] == "ml"
    assert objects["LocalQueue", "team-b"]["metadata"]["namespace"] == "ml-b"
    spec = objects["ClusterQueue", "team-b"]["spec"]
    assert spec["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "ml-b"}}


def test_quota_covers_every_resource_of_every_flavor() -> None:
    [group] = rendered()["ClusterQueue", "team-a"]["spec"]["resourceGroups"]
    covered = ["cpu", "memory", "nvidia.com/gpu", "amd.com/gpu"]
    assert group["coveredResources"] == covered
    amounts = {each["name"]: [entry["nominalQuota"] for entry in each["resources"]] for each in group["flavors"]}
    assert amounts == {"standard": ["32", "128Gi", "0", "0"], "a100": ["64", "512Gi", "8", "0"]}


def test_profile_without_teams_is_rejected() -> None:
    with pytest.raises(UserError, match="the profile has no teams"):
        rendered("{}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PROFILE.replace("      a100:", "      h100:"), "has a quota of 'h100', which is no node pool"),
        (PROFILE.replace("name: team-b", "name: team-a"), "two teams have the name 'team-a'"),
        (PROFILE.replace("cpu: 16, ", ""), "teams[1].quota.mi300.cpu: required field is missing"),
    ],
    ids=["unknown pool", "duplicate team", "missing amount"],
)
def test_invalid_teams_are_rejected(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        rendered(text)
    assert message in str(error.value)
