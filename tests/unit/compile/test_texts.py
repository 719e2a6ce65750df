"""Many workflows are written by several processes; nobody can tell from what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odahu_argo import compile_workflow
from odahu_argo.compile.emit import to_json, to_yaml
from odahu_argo.compile.texts import WORTH_SHARING, workflow_texts
from odahu_argo.errors import UserError
from tests.manifests import plan


def test_many_plans_give_the_texts_that_each_gives_alone_in_their_order(tmp_path: Path) -> None:
    one = plan(tmp_path)
    plans = [replace(one, training_id=f"wine-{number}") for number in range(WORTH_SHARING + 7)]
    assert workflow_texts(plans, 2, "yaml") == [to_yaml([compile_workflow(each, 2)]) for each in plans]
    assert workflow_texts(plans, 1, "json") == [to_json([compile_workflow(each)]) for each in plans]


def test_a_workflow_that_is_too_large_is_told_of_among_many(tmp_path: Path) -> None:
    one = plan(tmp_path)
    too_large = replace(one, training_id="too-large", spec={"description": "x" * 300_000})
    with pytest.raises(UserError, match="the spec of too-large takes") as caught:
        workflow_texts([*[one] * WORTH_SHARING, too_large], 1, "yaml")
    assert caught.value.problems[0].hint == "keep large values in a data connection"
