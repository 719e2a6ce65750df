"""`odahu-argo status` as a user has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from odahu_argo.status.load import MAX_FILE_BYTES
from tests.commands import odahu_argo
from tests.unit.status.recordings import FOLDER, recording

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
FIELDS = ["id", "state", "reason", "message", "exitCode", "step", "artifacts"]


def test_prints_one_object_for_one_workflow() -> None:
    ran = odahu_argo("status", "-f", FOLDER / "oom.json", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    item = json.loads(ran.out)
    assert list(item) == FIELDS
    assert (item["id"], item["state"], item["reason"], item["exitCode"], item["step"]) == (
        "oom",
        "failed",
        "OOMKilled",
        137,
        "train",
    )
    assert item["artifacts"] == [
        {"runId": "", "artifactName": "", "commitID": "d3d6e8ed776ed37fd2efd7a1b8d5fabdd7e3eea5"}
    ]


@pytest.mark.parametrize("kind", ["List", "WorkflowList", None])
def test_prints_a_list_for_a_list(kind: str | None) -> None:
    items = [recording("running"), recording("pending-mutex")]
    given = {"kind": kind, "items": items} if kind else items
    ran = odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps(given))
    assert [(item["id"], item["state"]) for item in json.loads(ran.out)] == [
        ("running", "running"),
        ("mutex-b", "scheduling"),
    ]
    alone = odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps({"kind": "List", "items": items[:1]}))
    assert [item["id"] for item in json.loads(alone.out)] == ["running"]
    nothing = odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps({"kind": "List", "items": []}))
    assert (nothing.code, json.loads(nothing.out)) == (0, [])


def test_accepts_list_items_without_kind() -> None:
    item = {key: value for key, value in recording("running").items() if key not in ("kind", "apiVersion")}
    ran = odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps({"kind": "WorkflowList", "items": [item]}))
    assert json.loads(ran.out)[0]["state"] == "running"


@pytest.mark.parametrize("name", ["oom", "suspended-at-creation", "deadline"])
def test_yaml_equals_json(name: str) -> None:
    as_yaml = odahu_argo("status", "-f", "-", stdin=yaml.safe_dump(recording(name)))
    assert (as_yaml.code, as_yaml.err) == (0, "")
    assert as_yaml.out == odahu_argo("status", "-f", FOLDER / f"{name}.json").out


@pytest.mark.parametrize("between", ["", "\n", "\n---\n"])
def test_reads_several_documents(between: str) -> None:
    text = between.join(json.dumps(recording(name)) for name in ("running", "oom"))
    ran = odahu_argo("status", "-f", "-", "-f", FOLDER / "invalid.json", "-o", "json", stdin=text)
    assert [item["id"] for item in json.loads(ran.out)] == ["running", "oom", "invalid"]


def test_table_shows_reason_and_hint() -> None:
    out = odahu_argo("status", "-f", FOLDER / "running-train-unschedulable.json").out
    lines = dict(line.split(":", 1) for line in out.split("\n\n")[0].splitlines())
    assert lines["state"].strip() == "scheduling"
    assert lines["reason"].strip() == "Unschedulable"
    assert "no node has enough nvidia.com/gpu free" in lines["message"]
    assert "odahu-argo doctor" in lines["hint"]
    steps = [line.split()[:2] for line in out.split("\n\n")[1].splitlines()]
    assert steps[1:] == [
        ["checkout", "succeeded"],
        ["download-wine", "succeeded"],
        ["train", "scheduling"],
        ["package", "waiting"],
    ]
    assert all(len(line) < 250 for line in out.split("\n\n")[1].splitlines())


def test_table_has_a_line_per_workflow_and_hints_below() -> None:
    ran = odahu_argo("status", "-f", FOLDER / "oom.json", "-f", FOLDER / "succeeded.json")
    head, *rows = ran.out.split("\n\n")[0].splitlines()
    assert head.split() == ["ID", "STATE", "STEP", "REASON", "MESSAGE"]
    assert [row.split()[:2] for row in rows] == [["oom", "failed"], ["succeeded", "succeeded"]]
    assert ran.out.count("hint:") == 1


def test_foreign_workflow_is_listed_by_name() -> None:
    workflow = recording("running")
    del workflow["metadata"]["labels"]
    workflow["metadata"]["name"] = "hello-world"
    assert (
        json.loads(odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps(workflow)).out)["id"] == "hello-world"
    )


def test_skips_objects_of_other_kinds_with_a_note() -> None:
    items = [{"kind": "Pod", "metadata": {}}, 3, recording("running"), {"kind": "Pod"}]
    ran = odahu_argo("status", "-f", "-", "-o", "json", stdin=json.dumps({"kind": "List", "items": items}))
    assert [item["id"] for item in json.loads(ran.out)] == ["running"]
    assert json.loads(ran.err)["notes"] == [
        "standard input: object of kind Pod skipped (2 times)",
        "standard input: a value of type int, not an object skipped",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "contains no Workflow"),
        ("{", "invalid JSON"),
        ('{"kind": "Workflow"', "invalid JSON"),
        ('{"kind": "Pod"}', "object of kind Pod"),
        ("a: [", "invalid YAML"),
        ("just words", "not an object"),
        ("[" * 100_000, "nested too deep"),
        ("{}" * 1000, "object without a kind"),
        (BOMB, "values"),
    ],
    ids=["empty", "brace", "cut", "pod", "yaml", "words", "deep", "objects", "bomb"],
)  # fmt: skip
def test_invalid_input_exits_with_2(text: str, told: str) -> None:
    for form in ("table", "json"):
        ran = odahu_argo("status", "-f", "-", "-o", form, stdin=text)
        assert (ran.code, ran.out) == (2, "")
        assert told in ran.err
        assert "Traceback" not in ran.err


def test_unreadable_file_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe{}")
    large = tmp_path / "large.json"
    with large.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    for file, told in (
        (tmp_path, "directory"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "bytes", "UTF-8"),
        (large, "MiB"),
    ):
        ran = odahu_argo("status", "-f", file)
        assert (ran.code, ran.out) == (2, "")
        assert told in ran.err
    assert odahu_argo("status").code == 2


def test_uses_no_network_and_imports_no_heavy_package() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_a, **_k): raise OSError('no network in this test')\n"
        "socket.socket.connect = refuse\n"
        "from odahu_argo.cli.app import build_command\n"
        "build_command()(['status', '-f', sys.argv[1]], standalone_mode=False)\n"
        "heavy = {'mlflow', 'kubernetes', 'hera', 'boto3', 'pandas'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules)) or ''))\n"
    )
    process = [sys.executable, "-c", code, str(FOLDER / "oom.json")]
    ended = subprocess.run(process, capture_output=True, text=True)
    assert ended.stderr.strip() == ""
    assert "OOMKilled" in ended.stdout
