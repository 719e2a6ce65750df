"""Whatever an object holds, there is a state and no exception: objects at random, and recordings with parts torn out."""

# ruff: noqa: E501 (lists of words)
from __future__ import annotations

import copy
import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odahu_argo.odahu_api import odahu_form
from odahu_argo.status.model import Status
from odahu_argo.status.state import read_status
from tests.unit.status.recordings import NAMES, recording
from tests.unit.status.variants import SITUATIONS

ANY_PACE = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""A busy machine is no fault of what is tested."""

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


def holds(status: Status) -> None:
    assert status.state in STATES
    assert {step.state for step in status.steps} <= STEP_STATES
    assert {run.state for step in status.steps for run in step.runs} <= STEP_STATES
    for text in (status.reason, status.message, status.hint, status.step, status.phase):
        assert isinstance(text, str)
    json.dumps(odahu_form(status)).encode()


@ANY_PACE
@given(VALUES)
def test_any_value_has_a_state(value: object) -> None:
    holds(read_status(value))


@ANY_PACE
@given(OBJECTS)
def test_any_object_with_a_status_has_a_state(workflow: object) -> None:
    holds(read_status(workflow))


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in items for place in places(each, (*path, key)))]


OF_SOME_WORKFLOW = st.sampled_from([*(recording(name) for name in NAMES), *SITUATIONS.values()])


@ANY_PACE
@given(
    OF_SOME_WORKFLOW, st.randoms(use_true_random=False), st.lists(VALUES | st.just("torn out"), min_size=1, max_size=4)
)
def test_a_workflow_with_parts_of_another_type_or_torn_out_has_a_state(
    workflow: dict[str, Any], chance: random.Random, others: list[Any]
) -> None:
    torn = copy.deepcopy(workflow)
    for other in others:
        if not (below := places(torn)[1:]):
            break
        path = chance.choice(below)
        parent = torn
        for key in path[:-1]:
            parent = parent[key]
        if other == "torn out":
            del parent[path[-1]]
        else:
            parent[path[-1]] = other
    holds(read_status(torn))


@ANY_PACE
@given(st.lists(OF_SOME_WORKFLOW, min_size=1, max_size=6))
def test_any_sequence_of_statuses_is_read_one_by_one(workflows: list[dict[str, Any]]) -> None:
    """A status depends on its object alone: not on what was read before, and the object is left as it was."""
    before = copy.deepcopy(workflows)
    alone = [read_status(copy.deepcopy(workflow)) for workflow in workflows]
    assert [read_status(workflow) for workflow in workflows] == alone
    assert workflows == before


def test_children_in_a_circle_and_very_many_nodes_come_to_an_end() -> None:
    workflow = recording("running")
    for node in workflow["status"]["nodes"].values():
        node["children"] = list(workflow["status"]["nodes"])
        node["boundaryID"] = node["id"]
    assert read_status(workflow).state == "running"
    pod = {"type": "Pod", "phase": "Failed", "message": "node " * 800}
    workflow["status"]["nodes"] = {str(n): {**pod, "name": f"running.train({n})"} for n in range(500)}
    holds(read_status(workflow))
    workflow["status"]["nodes"] = {str(n): {**pod, "name": f"running.step-{n}"} for n in range(30_000)}
    assert read_status(workflow).reason == "NodesUnreadable"
