"""Differences between manifests and a rendered directory; tests/cluster covers the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.compile import workflow_template
from odahu_argo.gitops.diff import Deployment, TrainingObjects, compare_trainings, planned_trainings, read_directory
from odahu_argo.gitops.render import add_header, render_files
from odahu_argo.profile import Profile
from tests.commands import odahu_argo
from tests.manifests import plan, training, write


def render_to_directory(directory: Path, profile: Profile | None = None, **spec: Any) -> Deployment:
    """Render a training, and read its files."""
    for path, text in render_files([plan(directory, profile, **spec)]).items():
        (directory / "git" / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / "git" / path).write_text(text)
    return read_directory(directory / "git")


def changes(deployed: Deployment, tmp_path: Path, profile: Profile | None = None, **spec: Any) -> list[str]:
    lines = list(compare_trainings(planned_trainings([plan(tmp_path, profile, **spec)]), deployed))
    return lines[0].partition(": ")[2].split("; ") if lines else []


def test_no_difference_after_render(tmp_path: Path) -> None:
    spec = {
        "hyperParameters": {"a": "{{ $x }}", "b": ""},
        "schedules": ["@daily"],
        "resources": {"limits": {"gpu": "1"}},
    }
    assert changes(render_to_directory(tmp_path, **spec), tmp_path, **spec) == []


@pytest.mark.parametrize(
    ("before", "after", "description"),
    [
        ({"hyperParameters": {"alpha": "0.5"}}, {"hyperParameters": {"alpha": "0.7"}}, "alpha 0.5 -> 0.7"),
        ({"hyperParameters": {"alpha": "0.5"}}, {}, "alpha 0.5 removed"),
        ({}, {"hyperParameters": {"alpha": ""}}, 'alpha "" added'),
        ({}, {"image": "other:2"}, "image odahu-argo-training:0.1.0 -> other:2 (train)"),
        ({}, {"envs": [{"name": "X", "value": "a b"}]}, 'variable X "a b" added'),
        ({"reference": "v1"}, {"reference": "v2"}, "reference v1 -> v2 (checkout)"),
        ({"resources": {"limits": {"cpu": "2"}}}, {"resources": {"limits": {"cpu": "4"}}}, "cpu limit 2 -> 4 (train)"),
        ({"outputConnection": "one"}, {}, "connection one -> models-output (package)"),
    ],
)
def test_describes_change(before: dict[str, Any], after: dict[str, Any], description: str, tmp_path: Path) -> None:
    profile = Profile(external_connections=("one",))
    described = changes(render_to_directory(tmp_path, profile, **before), tmp_path, profile, **after)
    assert description in described
    assert described[-1].startswith("new run wine-")


def test_equal_quantities_are_no_difference(tmp_path: Path) -> None:
    deployed = render_to_directory(tmp_path, resources={"limits": {"cpu": "2"}})
    assert [change.split()[0] for change in changes(deployed, tmp_path, resources={"limits": {"cpu": "2000m"}})] == [
        "new"
    ]


def test_groups_steps_with_equal_change(tmp_path: Path) -> None:
    deployed = render_to_directory(tmp_path)
    described = changes(deployed, tmp_path, Profile(runner_image="runner:2"))
    assert described[0] == "image odahu-argo-runner:0.1.0 -> runner:2 (checkout, download-wine-data, package)"
    assert described[1] == "image of prepare odahu-argo-runner:0.1.0 -> runner:2 (train)"
    assert len(described) == 3


def test_schedule_change_starts_no_run(tmp_path: Path) -> None:
    assert changes(render_to_directory(tmp_path), tmp_path, schedules=["@daily"]) == ["the schedule @daily added"]
    deployed = render_to_directory(tmp_path, schedules=["@daily"])
    assert changes(deployed, tmp_path) == ["the schedule @daily removed"]
    assert changes(deployed, tmp_path, schedules=["@weekly"]) == ["schedules[0] @daily -> @weekly"]
    assert changes(deployed, tmp_path, schedules=["@daily"], timezone="Asia/Tokyo") == ["timezone UTC -> Asia/Tokyo"]


def test_ignores_fields_set_by_api(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    live = workflow_template.workflow_template(planned)
    live["metadata"] |= {"uid": "1", "annotations": {"argocd.argoproj.io/tracking-id": "x"}, "managedFields": [{}]}
    live["spec"]["arguments"] = {}
    live["spec"]["templates"][1] |= {"inputs": {}, "name": live["spec"]["templates"][1]["name"]}
    live["spec"]["templates"][1]["container"]["name"] = ""
    objects = planned_trainings([planned])
    assert (
        list(
            compare_trainings(objects, Deployment("there", {"wine": TrainingObjects(live, None, objects["wine"].runs)}))
        )
        == []
    )


def test_reports_field_added_on_cluster(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    live = workflow_template.workflow_template(planned)
    live["spec"]["hostNetwork"] = True
    objects = planned_trainings([planned])
    [line] = compare_trainings(
        objects, Deployment("there", {"wine": TrainingObjects(live, None, objects["wine"].runs)})
    )
    assert line == "training wine there: hostNetwork true removed"


def test_reports_run_of_previous_template(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    objects = planned_trainings([planned])
    [(name, run)] = (objects["wine"].runs or {}).items()
    metadata = {**run["metadata"], "annotations": {"odahu.org/digest": "0" * 32}}
    late = {**run, "metadata": metadata, "status": {"phase": "Succeeded"}}
    deployed = Deployment(
        "there", {"wine": TrainingObjects(objects["wine"].template, None, {name: late})}, is_cluster=True
    )
    [line] = compare_trainings(objects, deployed)
    assert (
        line
        == f"training wine there: its run {name} (succeeded) used the previous template; delete the run to start it again"
    )


def test_reports_removed_and_new_training(tmp_path: Path) -> None:
    deployed = render_to_directory(tmp_path)
    assert list(compare_trainings({}, deployed)) == [f"training wine {deployed.name}: no longer in the manifests"]
    empty = Deployment("there", {})
    missing = ["training wine there: does not exist yet"]
    assert list(compare_trainings(planned_trainings([plan(tmp_path)]), empty)) == missing


def test_exit_code_of_difference(tmp_path: Path) -> None:
    write(tmp_path, training())
    options = ("-f", "manifests.yaml", "-o", "git", "--offline")
    differs = odahu_argo("diff", *options, cwd=tmp_path)
    assert (differs.code, differs.out) == (1, "training wine in git: does not exist yet\n")
    odahu_argo("render", *options[:4], cwd=tmp_path)
    same = odahu_argo("diff", *options, cwd=tmp_path)
    assert (same.code, same.out) == (0, "no difference: wine\n")


def test_reports_line_of_invalid_file(tmp_path: Path) -> None:
    write(tmp_path, training())
    (tmp_path / "git" / "runs").mkdir(parents=True)
    (tmp_path / "git" / "runs" / "wine.run.yaml").write_text(add_header("a: 1\n<<<<<<< HEAD\nb: [\n"))
    ran = odahu_argo("diff", "-f", "manifests.yaml", "-o", "git", "--offline", cwd=tmp_path)
    assert ran.code == 2
    assert "wine.run.yaml:" in ran.err
    assert "Traceback" not in ran.err


def test_rejects_offline_diff_without_output_directory(tmp_path: Path) -> None:
    write(tmp_path, training())
    ran = odahu_argo("diff", "-f", "manifests.yaml", "--offline", cwd=tmp_path)
    assert ran.code == 2
    assert "nothing to compare with" in ran.err


def test_ignores_foreign_files(tmp_path: Path) -> None:
    deployed = render_to_directory(tmp_path)
    own = {"kind": "WorkflowTemplate", "metadata": {"name": "x", "labels": {"odahu.org/training-id": "mine"}}}
    (tmp_path / "git" / "runs" / "mine.yaml").write_text(yaml.safe_dump(own))
    assert read_directory(tmp_path / "git").trainings.keys() == deployed.trainings.keys()
