"""Problems of manifests that the selected trainings do not use are warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.errors import UserError
from odahu_argo.manifest.load import Manifests, load_with_problems
from odahu_argo.manifest.relevance import unused_problems
from odahu_argo.plan.build import plan_trainings
from odahu_argo.profile import Profile
from tests.commands import odahu_argo
from tests.manifests import CONNECTIONS, problems, training, write

PLACEHOLDER = "---\nkind: Connection\nid: unused\nspec: {type: s3, uri: 's3://<your bucket>/x'}\n"


def bad(**spec: Any) -> dict[str, Any]:
    return {**training(**{"modle": {}, **spec}), "id": "bad"}


def planned_ids(manifests: Manifests, training_id: str | None) -> list[str]:
    return [plan.training_id for plan in plan_trainings(manifests, Profile(), training_id)]


def test_bad_training_does_not_block_another_one(tmp_path: Path) -> None:
    manifests = load_with_problems([write(tmp_path, bad(), training())])
    assert planned_ids(manifests, "wine") == ["wine"]
    for selected in ("bad", None):
        with pytest.raises(UserError) as error:
            planned_ids(manifests, selected)
        assert problems(error.value) == ["spec.modle: unknown field 'modle'"]


def test_placeholder_in_unused_connection_does_not_block(tmp_path: Path) -> None:
    manifests = load_with_problems([write(tmp_path, training(), connections=CONNECTIONS + PLACEHOLDER)])
    assert planned_ids(manifests, None) == ["wine"]
    [warning] = unused_problems(manifests)
    assert (warning.location.field, warning.hint) == ("spec.uri", "ignored, because no selected training uses it")


def test_placeholder_in_used_connection_blocks(tmp_path: Path) -> None:
    used = training(data=[{"connName": "unused", "localPath": "x"}])
    manifests = load_with_problems([write(tmp_path, used, connections=CONNECTIONS + PLACEHOLDER)])
    for selected in ("wine", None):
        with pytest.raises(UserError, match="is a placeholder"):
            planned_ids(manifests, selected)


def test_files_without_any_training_report_all_problems(tmp_path: Path) -> None:
    file = tmp_path / "connections.yaml"
    file.write_text(CONNECTIONS + PLACEHOLDER)
    with pytest.raises(UserError, match="is a placeholder"):
        planned_ids(load_with_problems([file]), None)


def test_unreadable_file_blocks_unless_everything_was_found(tmp_path: Path) -> None:
    file = write(tmp_path, training())
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: [")
    manifests = load_with_problems([file, broken])
    assert planned_ids(manifests, "wine") == ["wine"]
    with pytest.raises(UserError, match=r"broken\.yaml"):
        planned_ids(manifests, None)
    elsewhere = load_with_problems([write(tmp_path, training(vcsName="elsewhere")), broken])
    with pytest.raises(UserError) as error:
        planned_ids(elsewhere, "wine")
    assert {str(problem.location.file) for problem in error.value.problems} == {str(file), str(broken)}


def test_missing_file_blocks(tmp_path: Path) -> None:
    manifests = load_with_problems([write(tmp_path, training()), tmp_path / "nowhere.yaml"])
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        planned_ids(manifests, "wine")


def test_unknown_id_is_reported_despite_other_problems(tmp_path: Path) -> None:
    manifests = load_with_problems([write(tmp_path, bad(), training())])
    with pytest.raises(UserError, match="the files contain no ModelTraining 'wina'"):
        planned_ids(manifests, "wina")


def test_duplicate_of_an_unused_connection_does_not_block(tmp_path: Path) -> None:
    twice = CONNECTIONS + PLACEHOLDER.replace("<your bucket>", "b") * 2
    assert planned_ids(load_with_problems([write(tmp_path, training(), connections=twice)]), None) == ["wine"]
    used_twice = CONNECTIONS + "---\n" + CONNECTIONS
    with pytest.raises(UserError, match="duplicate Connection"):
        planned_ids(load_with_problems([write(tmp_path, training(), connections=used_twice)]), "wine")


def test_compile_warns_and_writes_the_workflow(tmp_path: Path) -> None:
    file = write(tmp_path, bad(), training(), connections=CONNECTIONS + PLACEHOLDER)
    compiled = odahu_argo("compile", "--id", "wine", "-f", file)
    assert compiled.code == 0, compiled.err
    assert "generateName: wine-" in compiled.out or "name: wine-1" in compiled.out
    assert "warning: " in compiled.err and "unknown field 'modle'" in compiled.err
    assert "'<your bucket>' is a placeholder" in compiled.err


def test_train_create_does_not_rename_another_training(tmp_path: Path) -> None:
    """`--id` gives a single training a new ID, but not if the one with this ID is invalid."""
    file = write(tmp_path, bad(), training())
    created = odahu_argo("train", "create", "--id", "bad", "-f", file, "--url", "http://127.0.0.1:9", "--no-wait")
    assert created.code == 2
    assert "unknown field 'modle'" in created.err
