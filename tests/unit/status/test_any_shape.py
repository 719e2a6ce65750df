"""Property-based tests: random objects and damaged recordings yield a valid status and never an exception."""

# ruff: noqa: E501 (word lists)
from __future__ import annotations

import copy
import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odahu_argo.odahu_api import status_to_api
from odahu_argo.status.model import Status
from odahu_argo.status.state import read_status
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import SITUATIONS

NO_DEADLINE = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

STATES = {"scheduling", "running", "succeeded", "failed", "unknown"}
STEP_STATES = {"waiting", "scheduling", "running", "succeeded", "failed", "skipped", "unknown"}

WORDS = st.sampled_from([
    "", "Pending", "Running", "Succeeded", "Failed", "Error", "Skipped", "Omitted", "Pod", "Retry", "DAG", "Suspend", "Stop",
    "Terminate", "wine-1", "wine-1.train", "wine-1.train(0)", "wine-1.train(0).attempt", "wine-1[0].a", "train", "timeout",
    "pod deleted", "main: Error (exit code 2): why\n  hint: how", "Unschedulable: 1 Insufficient nvidia.com/gpu.",
    "ImagePullBackOff", "exceeded quota: q", "Waiting for a/Mutex/m lock", "invalid spec: {step}", "{why}%s", "1/0", "3/4", "\ud800",
])  # fmt: skip
KEYS = st.sampled_from([
    "metadata", "name", "labels", "annotations", "odahu.org/training-id", "odahu.org/results", "deletionTimestamp", "spec",
    "entrypoint", "templates", "dag", "tasks", "steps", "suspend", "shutdown", "activeDeadlineSeconds", "container", "resources",
    "limits", "nodeSelector", "pendingTimeout", "status", "phase", "message", "nodes", "compressedNodes", "startedAt",
    "offloadNodeStatusVersion", "conditions", "outputs", "parameters", "artifacts", "value", "exitCode", "type", "children",
    "displayName", "templateName", "boundaryID", "progress", "finishedAt", "synchronization", "synchronizationStatus", "waiting",
    "holder", "storedTemplates", "storedWorkflowTemplateSpec", "depends", "failFast", "continueOn", "main-logs",
])  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.builds(pow, st.just(10), st.just(5000)),
    st.floats(),
    WORDS,
    st.text(max_size=20),
    st.binary(max_size=3),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | LEAVES, inner, max_size=6), max_leaves=25
)
NODES = st.dictionaries(
    WORDS | st.text(max_size=5),
    VALUES | st.fixed_dictionaries({}, optional={key: VALUES | WORDS for key in (
        "id", "name", "displayName", "type", "phase", "message", "templateName", "children", "outputs", "progress",
        "startedAt", "finishedAt", "hostNodeName", "boundaryID", "synchronizationStatus",
    )}),
    max_size=8,
)  # fmt: skip
OBJECTS = st.fixed_dictionaries(
    {
        "status": VALUES
        | st.fixed_dictionaries({"phase": WORDS | VALUES, "nodes": VALUES | NODES}, optional={"message": WORDS})
    },
    optional={"metadata": VALUES | st.just({"name": "wine-1"}), "spec": VALUES},
)


def assert_valid(status: Status) -> None:
    assert status.state in STATES
    assert {step.state for step in status.steps} <= STEP_STATES
    assert {run.state for step in status.steps for run in step.runs} <= STEP_STATES
    for text in (status.reason, status.message, status.hint, status.step, status.phase):
        assert isinstance(text, str)
    json.dumps(status_to_api(status)).encode()


@NO_DEADLINE
@given(VALUES)
def test_any_value_yields_a_status(value: object) -> None:
    assert_valid(read_status(value))


@NO_DEADLINE
@given(OBJECTS)
def test_any_object_yields_a_status(workflow: object) -> None:
    assert_valid(read_status(workflow))


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(nested for key, item in items for nested in paths(item, (*path, key)))]


WORKFLOWS = st.sampled_from([*(recording(name) for name in NAMES), *SITUATIONS.values()])


@NO_DEADLINE
@given(WORKFLOWS, st.randoms(use_true_random=False), st.lists(VALUES | st.just("remove"), min_size=1, max_size=4))
def test_damaged_workflow_yields_a_status(
    workflow: dict[str, Any], rng: random.Random, replacements: list[Any]
) -> None:
    damaged = copy.deepcopy(workflow)
    for replacement in replacements:
        if not (candidates := paths(damaged)[1:]):
            break
        path = rng.choice(candidates)
        parent = damaged
        for key in path[:-1]:
            parent = parent[key]
        if replacement == "remove":
            del parent[path[-1]]
        else:
            parent[path[-1]] = replacement
    assert_valid(read_status(damaged))


@NO_DEADLINE
@given(st.lists(WORKFLOWS, min_size=1, max_size=6))
def test_status_is_pure(workflows: list[dict[str, Any]]) -> None:
    """The status depends only on the object, which stays unmodified."""
    before = copy.deepcopy(workflows)
    expected = [read_status(copy.deepcopy(workflow)) for workflow in workflows]
    assert [read_status(workflow) for workflow in workflows] == expected
    assert workflows == before


def test_cyclic_children_and_many_nodes() -> None:
    workflow = recording("running")
    for node in workflow["status"]["nodes"].values():
        node["children"] = list(workflow["status"]["nodes"])
        node["boundaryID"] = node["id"]
    assert read_status(workflow).state == "running"
    pod = {"type": "Pod", "phase": "Failed", "message": "node " * 800}
    workflow["status"]["nodes"] = {str(n): {**pod, "name": f"running.train({n})"} for n in range(500)}
    assert_valid(read_status(workflow))
    workflow["status"]["nodes"] = {str(n): {**pod, "name": f"running.step-{n}"} for n in range(30_000)}
    assert read_status(workflow).reason == "NodesUnreadable"
