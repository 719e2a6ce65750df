"""Queues and priorities of trainings: manifests, profiles, plans and workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.schema import schema_errors
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.errors import UserError
from odahu_argo.plan.explain import explain
from odahu_argo.plan.model import Plan, Queueing
from odahu_argo.profile import Profile, parse_profile
from tests.manifests import plan, problems

GPU = {"limits": {"gpu": "1"}}
POOLS = """\
queue: general
priority: normal
pools:
  cpu: {queue: batch}
  gpu:
    - {name: a100, node_selector: {pool: a100}, queue: fast, priority: high}
    - {name: v100, node_selector: {pool: v100}}
"""


def queueing(planned: Plan) -> Queueing | None:
    return planned.step("train").queueing


def labels(planned: Plan) -> dict[str, dict[str, str]]:
    """Return the labels for Kueue by template."""
    workflow = compile_workflow(planned)
    assert list(schema_errors(workflow)) == []
    found = {item["name"]: item.get("metadata", {}).get("labels", {}) for item in workflow["spec"]["templates"]}
    return {name: {k: v for k, v in each.items() if k.startswith("kueue")} for name, each in found.items()}


def test_only_the_pod_of_train_is_queued(tmp_path: Path) -> None:
    found = labels(plan(tmp_path, queue="team-a", priority="high", resources=GPU))
    queued = {"kueue.x-k8s.io/queue-name": "team-a", "kueue.x-k8s.io/priority-class": "high"}
    assert found.pop("train") == queued
    assert set(map(len, found.values())) == {0}
    assert "kueue" not in str(compile_workflow(plan(tmp_path, queue="team-a"))["spec"]["podMetadata"])


def test_workflow_without_queue_is_unchanged(tmp_path: Path) -> None:
    with_queue_settings = parse_profile("queue_timeout: 2d\npriority: high", "profile.yaml")
    texts = [to_yaml([compile_workflow(plan(tmp_path, profile))]) for profile in (with_queue_settings, Profile())]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, Queueing("batch", "normal")),
        ({"resources": GPU}, Queueing("fast", "high")),
        ({"resources": GPU, "nodeSelector": {"pool": "v100"}}, Queueing("general", "normal")),
        ({"resources": GPU, "queue": "own", "priority": "low"}, Queueing("own", "low")),
        ({"queue": "own"}, Queueing("own", "normal")),
    ],
    ids=["cpu pool", "gpu pool", "profile", "training", "queue of the training"],
)
def test_training_precedes_pool_and_profile(tmp_path: Path, spec: dict[str, Any], expected: Queueing) -> None:
    assert queueing(plan(tmp_path, parse_profile(POOLS, "profile.yaml"), **spec)) == expected


def test_pools_with_another_queue_need_a_node_selector(tmp_path: Path) -> None:
    planned = plan(tmp_path, parse_profile(POOLS, "profile.yaml"), resources=GPU)
    assert planned.step("train").placement.names == ("a100",)


def test_plan_explains_the_queue(tmp_path: Path) -> None:
    text = explain(plan(tmp_path, queue="team-a", priority="high", resources=GPU))
    sentence = "in Kueue's queue team-a with priority class high, waits there without a limit"
    assert f"   {sentence}; the wait for a node starts afterwards" in text.splitlines()
    limited = explain(plan(tmp_path, parse_profile("queue_timeout: 2d", "p"), queue="team-a"))
    assert "   in Kueue's queue team-a, waits there for at most 2 d" in limited.splitlines()


def test_queue_timeout_is_an_annotation(tmp_path: Path) -> None:
    workflow = compile_workflow(plan(tmp_path, parse_profile("queue_timeout: 2d", "p"), queue="team-a"))
    [train] = [template for template in workflow["spec"]["templates"] if template["name"] == "train"]
    assert train["metadata"]["annotations"] == {"odahu.org/queue-timeout": "172800s"}


def test_invalid_names_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, queue="Team A", priority="high")
    assert [problem.location.field for problem in error.value.problems] == ["spec.queue"]
    with pytest.raises(UserError) as error:
        plan(tmp_path, queue="Team A", priority="-high")
    assert [line.partition(" is not")[0] for line in problems(error.value)] == [
        "spec.queue: 'Team A'",
        "spec.priority: '-high'",
    ]
    assert all(problem.location.line for problem in error.value.problems)
    with pytest.raises(UserError) as error:
        parse_profile("queue: a_b\npools: {gpu: {queue: 'x y'}}", "profile.yaml")
    assert [problem.location.field for problem in error.value.problems] == ["queue", "pools.gpu.queue"]


def test_priority_without_queue_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan(tmp_path, Profile(), priority="high")
    [problem] = error.value.problems
    assert (problem.location.field, problem.message) == ("spec.priority", "priority has no effect without a queue")
    assert problem.hint == "set spec.queue, set a queue in the profile, or remove priority"
