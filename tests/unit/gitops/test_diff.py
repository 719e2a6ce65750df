"""Differences in words, from manifests to a rendered folder; the cluster's side is in tests/cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.compile import workflow_template
from odahu_argo.gitops.diff import Held, Place, compare, from_folder, from_plans
from odahu_argo.gitops.render import rendered, signed
from odahu_argo.profile import Profile
from tests.commands import odahu_argo
from tests.manifests import plan, training, write


def folder(place: Path, profile: Profile | None = None, **spec: Any) -> Place:
    """A rendered training, read back from its files."""
    for path, text in rendered([plan(place, profile, **spec)]).items():
        (place / "git" / path).parent.mkdir(parents=True, exist_ok=True)
        (place / "git" / path).write_text(text)
    return from_folder(place / "git")


def told(there: Place, tmp_path: Path, profile: Profile | None = None, **spec: Any) -> list[str]:
    lines = list(compare(from_plans([plan(tmp_path, profile, **spec)]), there))
    return lines[0].partition(": ")[2].split("; ") if lines else []


def test_what_was_just_rendered_is_no_difference(tmp_path: Path) -> None:
    spec = {
        "hyperParameters": {"a": "{{ $x }}", "b": ""},
        "schedules": ["@daily"],
        "resources": {"limits": {"gpu": "1"}},
    }
    assert told(folder(tmp_path, **spec), tmp_path, **spec) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"hyperParameters": {"alpha": "0.5"}}, {"hyperParameters": {"alpha": "0.7"}}, "alpha 0.5 -> 0.7"),
        ({"hyperParameters": {"alpha": "0.5"}}, {}, "alpha 0.5 goes"),
        ({}, {"hyperParameters": {"alpha": ""}}, 'alpha "" is new'),
        ({}, {"image": "other:2"}, "image odahu-argo-training:0.1.0 -> other:2 (train)"),
        ({}, {"envs": [{"name": "X", "value": "a b"}]}, 'variable X "a b" is new'),
        ({"reference": "v1"}, {"reference": "v2"}, "reference v1 -> v2 (checkout)"),
        ({"resources": {"limits": {"cpu": "2"}}}, {"resources": {"limits": {"cpu": "4"}}}, "cpu limit 2 -> 4 (train)"),
        ({"outputConnection": "one"}, {}, "connection one -> models-output (package)"),
    ],
)
def test_a_change_is_told_in_words(before: dict[str, Any], after: dict[str, Any], words: str, tmp_path: Path) -> None:
    profile = Profile(external_connections=("one",))
    said = told(folder(tmp_path, profile, **before), tmp_path, profile, **after)
    assert words in said
    assert said[-1].startswith("runs anew as wine-")


def test_an_amount_written_otherwise_is_no_difference_in_words(tmp_path: Path) -> None:
    there = folder(tmp_path, resources={"limits": {"cpu": "2"}})
    assert [each.split()[0] for each in told(there, tmp_path, resources={"limits": {"cpu": "2000m"}})] == ["runs"]


def test_an_image_of_several_steps_is_told_once(tmp_path: Path) -> None:
    there = folder(tmp_path)
    words = told(there, tmp_path, Profile(runner_image="runner:2"))
    assert words[0] == "image odahu-argo-runner:0.1.0 -> runner:2 (checkout, download-wine-data, package)"
    assert len(words) == 2


def test_schedules_are_told_and_run_nothing_anew(tmp_path: Path) -> None:
    assert told(folder(tmp_path), tmp_path, schedules=["@daily"]) == ["the schedule @daily is new"]
    there = folder(tmp_path, schedules=["@daily"])
    assert told(there, tmp_path) == ["the schedule @daily goes"]
    assert told(there, tmp_path, schedules=["@weekly"]) == ["schedules[0] @daily -> @weekly"]
    assert told(there, tmp_path, schedules=["@daily"], timezone="Asia/Tokyo") == ["timezone UTC -> Asia/Tokyo"]


def test_what_an_api_fills_in_is_no_difference(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    live = workflow_template.workflow_template(planned)
    live["metadata"] |= {"uid": "1", "annotations": {"argocd.argoproj.io/tracking-id": "x"}, "managedFields": [{}]}
    live["spec"]["arguments"] = {}
    live["spec"]["templates"][1] |= {"inputs": {}, "name": live["spec"]["templates"][1]["name"]}
    live["spec"]["templates"][1]["container"]["name"] = ""
    held = from_plans([planned])
    assert list(compare(held, Place("there", {"wine": Held(live, None, held["wine"].runs)}))) == []


def test_what_somebody_has_added_on_the_cluster_is_told(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    live = workflow_template.workflow_template(planned)
    live["spec"]["hostNetwork"] = True
    held = from_plans([planned])
    [line] = compare(held, Place("there", {"wine": Held(live, None, held["wine"].runs)}))
    assert line == "training wine there: hostNetwork true goes"


def test_a_run_that_took_another_template_is_told(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    held = from_plans([planned])
    [(name, run)] = (held["wine"].runs or {}).items()
    metadata = {**run["metadata"], "annotations": {"odahu.org/digest": "0" * 32}}
    late = {**run, "metadata": metadata, "status": {"phase": "Succeeded"}}
    place = Place("there", {"wine": Held(held["wine"].template, None, {name: late})}, is_live=True)
    [line] = compare(held, place)
    assert (
        line
        == f"training wine there: its run {name} (succeeded) took the template before this one; delete it to run anew"
    )


def test_a_training_that_is_gone_and_one_that_is_new_are_told(tmp_path: Path) -> None:
    there = folder(tmp_path)
    assert list(compare({}, there)) == [f"training wine {there.name}: no longer among the manifests"]
    assert list(compare(from_plans([plan(tmp_path)]), Place("there", {}))) == ["training wine there: not there yet"]


def test_the_command_ends_with_one_where_something_differs(tmp_path: Path) -> None:
    write(tmp_path, training())
    options = ("-f", "manifests.yaml", "-o", "git", "--offline")
    differs = odahu_argo("diff", *options, cwd=tmp_path)
    assert (differs.code, differs.out) == (1, "training wine in git: not there yet\n")
    odahu_argo("render", *options[:4], cwd=tmp_path)
    same = odahu_argo("diff", *options, cwd=tmp_path)
    assert (same.code, same.out) == (0, "no difference: wine\n")


def test_a_rendered_file_that_a_merge_has_spoilt_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, training())
    (tmp_path / "git" / "runs").mkdir(parents=True)
    (tmp_path / "git" / "runs" / "wine.run.yaml").write_text(signed("a: 1\n<<<<<<< HEAD\nb: [\n"))
    ran = odahu_argo("diff", "-f", "manifests.yaml", "-o", "git", "--offline", cwd=tmp_path)
    assert ran.code == 2
    assert "wine.run.yaml:" in ran.err
    assert "Traceback" not in ran.err


def test_a_folder_alone_is_not_left_out_silently(tmp_path: Path) -> None:
    write(tmp_path, training())
    ran = odahu_argo("diff", "-f", "manifests.yaml", "--offline", cwd=tmp_path)
    assert ran.code == 2
    assert "nothing to compare with" in ran.err


def test_files_of_others_do_not_count(tmp_path: Path) -> None:
    there = folder(tmp_path)
    own = {"kind": "WorkflowTemplate", "metadata": {"name": "x", "labels": {"odahu.org/training-id": "mine"}}}
    (tmp_path / "git" / "runs" / "mine.yaml").write_text(yaml.safe_dump(own))
    assert from_folder(tmp_path / "git").trainings.keys() == there.trainings.keys()
