"""Text of any field reaches the step unchanged or is rejected."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odahu_argo import build_plans, compile_workflow, contract, load, resolve
from odahu_argo.compile.emit import to_yaml
from odahu_argo.errors import UserError
from odahu_argo.profile import Profile
from tests.manifests import training
from tests.unit.compile.argo_substitution import through_argo, through_kubelet

ARGO = {"workflow.name": "wine-1", "inputs.parameters.x": "LEAKED", "pod.name": "LEAKED", "x": "LEAKED", "": "LEAKED"}
PODS = {"PATH": "LEAKED", "HOME": "LEAKED", contract.STEP_VARIABLE: "LEAKED", "": "LEAKED"}
PIECES = [
    "{{workflow.name}}",
    "{{ workflow.name }}",
    "{{=1+1}}",
    "{{inputs.parameters.x}}",
    "{{",
    "}}",
    "{",
    "}",
    "{{{",
]
PIECES += ["{{x}}", "$(PATH)", "$$(X)", "$$", "$(", "$", ")", "`id`", "\n", "\r\n", "\0", "\t", "\\", '"', "'", "'''"]
PIECES += [
    "\\u007b",
    "\\u0024",
    "---\n",
    "# ",
    ": ",
    "- ",
    "&a",
    "*a",
    "!!str",
    "<&>",
    "\u2028",
    "\x7f",
    "\x85",
    "ü",
    "😀",
]
TEXTS = st.one_of(
    st.sampled_from(PIECES),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=6).map("".join),
    st.builds(lambda piece, size: piece * (size // len(piece)), st.sampled_from(PIECES), st.just(100_000)),
)

CODE = {"kind": "Connection", "id": "code", "spec": {"type": "git", "uri": "https://git.example.org/x.git"}}
DATA = {"kind": "Connection", "id": "wine-data", "spec": {"type": "s3", "uri": "s3://wine/data/"}}
TOOLCHAIN = {"kind": "ToolchainIntegration", "id": "own", "spec": {"entrypoint": "mlflow", "defaultImage": "x:1"}}


def manifests() -> dict[str, dict[str, Any]]:
    source = {"objectStorage": {"connection": "wine-data", "path": "code"}}
    spec = {"toolchain": "own", "hyperParameters": {"a": "b"}, "envs": [{"name": "A", "value": "b"}], "args": ["a"]}
    data = [{"connName": "wine-data", "localPath": "in", "remotePath": "out"}]
    model = {"name": "wine", "version": "1", "artifactNameTemplate": "a"}
    more = {"data": data, "model": model, "reference": "main", "workDir": "a", "entrypoint": "a", "image": "a"}
    selector = {"nodeSelector": {"a": "b"}, "outputConnection": "models-output"}
    of_bucket = {**training(algorithmSource=source, vcsName=None, data=None), "id": "of-bucket"}
    toolchain = json.loads(json.dumps(TOOLCHAIN))
    toolchain["spec"]["additionalEnvironments"] = {"B": "c"}
    return json.loads(
        json.dumps(
            {
                "training": training(**spec, **more, **selector),
                "of bucket": of_bucket,
                "code": {**CODE, "spec": {**CODE["spec"], "reference": "main", "description": "d", "webUILink": "w"}},
                "data": {**DATA, "spec": {**DATA["spec"], "region": "r", "role": "a", "endpoint": "http://x"}},
                "toolchain": toolchain,
            }
        )
    )


KEYS = "key of "


def text_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every text in the manifests, and of every user-defined key."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from text_paths(item, (*path, index))
    else:
        for name, item in value.items():
            yield from text_paths(item, (*path, name))
            if path and path[-1] in ("hyperParameters", "nodeSelector", "additionalEnvironments"):
                yield (*path, KEYS + name)


FIELDS = [path for path in text_paths(manifests()) if path[-1] not in ("kind", "type")]


def replace_text(path: tuple[Any, ...], text: str) -> list[dict[str, Any]]:
    """Return the manifests with the text in a field, and update references to it."""
    documents = manifests()
    documents["training"]["spec"].pop("nodeSelector") if "nodeSelector" not in path else None
    *parents, last = path
    parent: Any = documents
    for part in parents:
        parent = parent[part]
    if isinstance(last, str) and last.startswith(KEYS):
        parent[text] = parent.pop(last.removeprefix(KEYS))
    else:
        parent[last] = text
    if path == ("code", "spec", "reference"):
        documents["training"]["spec"].pop("reference")
    if path == ("toolchain", "id"):
        documents["training"]["spec"]["toolchain"] = text
    if path == ("data", "id"):
        documents["training"]["spec"]["data"][0]["connName"] = text
        documents["of bucket"]["spec"]["algorithmSource"]["objectStorage"]["connection"] = text
    if path == ("code", "id"):
        documents["training"]["spec"]["vcsName"] = text
    return list(documents.values())


def compiled(documents: list[dict[str, Any]]) -> list[tuple[Any, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifests.yaml"
        file.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")
        profile = Profile()
        plans = build_plans(resolve(load([file]), profile), profile)
        return [(plan, compile_workflow(plan)) for plan in plans]


def assert_unchanged(plan: Any, workflow: dict[str, Any]) -> None:
    """Assert that Argo and the kubelet change nothing, and that steps receive their specifications."""
    assert yaml.load(to_yaml([workflow]), yaml.CSafeLoader) == workflow
    workflow = without_run(workflow)
    for part in (workflow["spec"], *workflow["spec"]["templates"], workflow["metadata"]):
        assert through_argo(part, ARGO) == part
    for template in workflow["spec"]["templates"]:
        if "container" not in template:
            continue
        variables = {}
        for container in (*template.get("initContainers", ()), template["container"]):
            variables |= {each["name"]: each["value"] for each in container["env"]}
            for text in (*container["command"], *variables.values(), json.dumps(template)):
                assert through_kubelet(text, PODS) == text
        step = plan.step(template["name"])
        assert contract.spec_from_json(step.kind, variables[contract.STEP_VARIABLE]) == step.spec


def without_run(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow without the only variable that Argo has to change: the name of the run."""
    copy: dict[str, Any] = json.loads(json.dumps(workflow))
    for template in copy["spec"]["templates"]:
        for container in (*template.get("initContainers", ()), template.get("container", {"env": []})):
            run = {"name": contract.RUN_VARIABLE, "value": "{{workflow.name}}"}
            container["env"] = [variable for variable in container["env"] if variable != run]
    return copy


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *strings(each))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)


NOT_FOR_STEPS = ("description", "webUILink", "region", "role", "endpoint", "uri", "args", "nodeSelector", "image")
NOT_FOR_STEPS += ("defaultImage", "id")
"""Fields outside of step specifications: they are in the Secret, or are image names that match a pattern."""


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_hostile_text_is_unchanged_or_rejected(path: tuple[Any, ...], text: str) -> None:
    try:
        results = compiled(replace_text(path, text))
    except UserError as error:
        assert all(problem.message and len(str(problem)) < 5_000 for problem in error.problems)
        return
    for plan, workflow in results:
        assert_unchanged(plan, workflow)
    if text and not set(NOT_FOR_STEPS) & set(path):
        specs = [contract.spec_to_json(step.spec) for plan, _ in results for step in plan.steps]
        assert text in {each for spec in specs for each in strings(json.loads(spec))}


def test_manifests_compile_with_harmless_text() -> None:
    assert len(compiled(replace_text(("training", "spec", "entrypoint"), "main"))) == 2
    assert len(FIELDS) > 35


@pytest.mark.parametrize("text", ["{{workflow.name}}", "{{=1+1}}", "{{", "$(PATH)", "`id`", "a\nb", "x" * 100_000])
@pytest.mark.parametrize("field", ["hyperParameters", "envs", "entrypoint", "remotePath"])
def test_free_text_fields_accept_any_text(field: str, text: str) -> None:
    paths = {"hyperParameters": ("hyperParameters", "a"), "envs": ("envs", 0, "value"), "entrypoint": ("entrypoint",)}
    paths["remotePath"] = ("data", 0, "remotePath")
    for plan, workflow in compiled(replace_text(("training", "spec", *paths[field]), text)):
        assert_unchanged(plan, workflow)


def test_rejects_annotations_over_size_limit() -> None:
    with pytest.raises(UserError, match=r"requires 6\d+ bytes of annotations; the limit of Kubernetes is 262144"):
        compiled(replace_text(("training", "spec", "args", 0), "$" * 100_000))
