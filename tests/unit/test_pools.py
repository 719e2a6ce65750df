"""Named node pools of the profile, and ODAHU's lists of node pools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.compile.schema import schema_errors
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import UserError
from odahu_argo.plan.explain import explain
from odahu_argo.profile import Profile, parse_profile
from tests.manifests import plan, problems

POOLS = """\
pools:
  cpu:
    - {name: standard, node_selector: {pool: standard}}
    - name: large
      node_selector: {pool: large}
      tolerations: [{key: large, operator: Exists}]
  gpu:
    - {name: v100, node_selector: {pool: v100}, pending_timeout: 10m}
    - {name: a100, node_selector: {pool: a100}}
    - {name: amd, node_selector: {pool: amd}, resource_name: amd.com/gpu, tolerations: [], pending_timeout: none}
"""
GPU = {"limits": {"gpu": "1"}}


def train_template(tmp_path: Path, profile: Profile, **spec: Any) -> dict[str, Any]:
    """Return the template with the container of the step `train`."""
    workflow = compile_workflow(plan(tmp_path, profile, **spec))
    assert list(schema_errors(workflow)) == []
    templates = {template["name"]: template for template in workflow["spec"]["templates"]}
    return templates["train"]


def pending_timeout(template: dict[str, Any]) -> str | None:
    annotation: str | None = template["metadata"].get("annotations", {}).get("odahu.org/pending-timeout")
    return annotation


def suitable_pools(template: dict[str, Any]) -> list[str]:
    """Return the pools of the node affinity."""
    affinity = template["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms = [term["matchExpressions"] for term in affinity["nodeSelectorTerms"]]
    return [value for [expression] in terms for value in expression["values"]]


def test_node_selector_picks_a_pool(tmp_path: Path) -> None:
    profile = parse_profile(POOLS, "profile.yaml")
    large = train_template(tmp_path, profile, nodeSelector={"pool": "large"})
    assert (large["nodeSelector"], large["tolerations"]) == (
        {"pool": "large"},
        [{"key": "large", "operator": "Exists"}],
    )
    amd = train_template(tmp_path, profile, nodeSelector={"pool": "amd"}, resources=GPU)
    assert (amd["nodeSelector"], amd["container"]["resources"]["limits"]["amd.com/gpu"]) == ({"pool": "amd"}, "1")
    assert "tolerations" not in amd and pending_timeout(amd) is None
    a100 = train_template(tmp_path, profile, nodeSelector={"pool": "a100"}, resources=GPU)
    assert (a100["nodeSelector"], pending_timeout(a100)) == ({"pool": "a100"}, "1800s")


def test_resources_pick_all_pools_of_a_kind(tmp_path: Path) -> None:
    profile = parse_profile(POOLS, "profile.yaml")
    cpu = train_template(tmp_path, profile)
    assert suitable_pools(cpu) == ["standard", "large"]
    assert cpu["tolerations"] == [{"key": "large", "operator": "Exists"}]
    gpu = train_template(tmp_path, profile, resources=GPU)
    assert suitable_pools(gpu) == ["v100", "a100"]
    assert (gpu["container"]["resources"]["limits"]["nvidia.com/gpu"], pending_timeout(gpu)) == ("1", "600s")
    assert "on one of the gpu pools v100, a100 with" in explain(plan(tmp_path, profile, resources=GPU))
    assert "on the cpu pool large with" in explain(plan(tmp_path, profile, nodeSelector={"pool": "large"}))


def test_selector_of_another_kind_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, parse_profile(POOLS, "profile.yaml"), nodeSelector={"pool": "a100"})
    [problem] = error.value.problems
    assert problem.message == "no CPU node pool of the profile has the selector pool=a100"
    assert problem.hint == "set it to pool=standard or pool=large, or remove nodeSelector"


def test_steps_of_a_cpu_training_run_on_the_selected_pool(tmp_path: Path) -> None:
    profile = parse_profile(POOLS, "profile.yaml")
    selected = plan(tmp_path, profile, nodeSelector={"pool": "large"})
    assert {step.placement.names for step in selected.steps} == {("large",)}
    on_gpu = plan(tmp_path, profile, nodeSelector={"pool": "a100"}, resources=GPU)
    assert on_gpu.step("checkout").placement.names == ("standard", "large")


def test_single_pool_equals_a_list_of_one() -> None:
    single = parse_profile("pools: {cpu: {node_selector: {a: b}}, gpu: {resource_name: amd.com/gpu}}", "p")
    listed = parse_profile("pools: {cpu: [{node_selector: {a: b}}], gpu: [{resource_name: amd.com/gpu}]}", "p")
    assert single == listed
    assert parse_profile("pools: {}", "p") == Profile()


def test_reads_the_node_pools_of_odahu(tmp_path: Path) -> None:
    profile = parse_profile(
        """\
pools:
  nodePools:
    - nodeSelector: {mode: odahu-flow-training}
      tags: [default]
    - nodeSelector: {mode: odahu-flow-training-large}
      tags: [large, "4 CPUs"]
  tolerations: [{key: dedicated, operator: Equal, value: training, effect: NoSchedule}]
  gpuNodePools:
    - nodeSelector: {mode: odahu-flow-training-gpu}
  gpuTolerations: [{key: dedicated, operator: Equal, value: gpu, effect: NoSchedule}]
""",
        "profile.yaml",
    )
    assert [pool.name for pool in profile.pools.cpu] == ["default", None]
    cpu = train_template(tmp_path, profile)
    assert suitable_pools(cpu) == ["odahu-flow-training", "odahu-flow-training-large"]
    assert [toleration["value"] for toleration in cpu["tolerations"]] == ["training"]
    gpu = train_template(tmp_path, profile, resources=GPU, nodeSelector={"mode": "odahu-flow-training-gpu"})
    assert [toleration["value"] for toleration in gpu["tolerations"]] == ["gpu"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pools: {cpu: [{name: a}, {name: a}]}", "pools: two cpu pools have the name 'a'; rename one of them"),
        ("pools: {gpu: []}", "pools: gpu has no pool; remove the setting to use any node"),
        (
            "pools: {cpu: [{name: a}], nodePools: [{nodeSelector: {a: b}}]}",
            "pools: cpu and ODAHU's nodePools are both set",
        ),
        ("pools: {cpu: [{node_selector: {a: b}, taints: []}]}", "pools.cpu[0].taints: unknown field 'taints'"),
        ("pools: {cpu: {taints: []}}", "pools.cpu.taints: unknown field 'taints'"),
        ("pools: {cpu: [a]}", "pools.cpu[0]: must be a mapping"),
    ],
)
def test_invalid_pools_are_rejected(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse_profile(text, "profile.yaml")
    assert any(message in line for line in problems(error.value)), problems(error.value)
