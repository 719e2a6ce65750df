from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import contract
from odahu_argo.compile.escape import inert_json
from odahu_argo.contract import TrainSpec
from tests.unit.compile.argo_substitution import through_argo, through_kubelet

hostile = st.text() | st.lists(
    st.sampled_from(
        ["{{", "}}", "{", "}", "workflow.name", "=1+1", "$", "$$", "$(PATH)", "(", ")", "`id`", "\\", '"', "\n"]
    )
).map("".join)


@given(st.dictionaries(hostile, hostile, max_size=4), hostile)
def test_whatever_the_user_wrote_reaches_the_step_unchanged(parameters: dict[str, str], entry_point: str) -> None:
    spec = TrainSpec("wine", "wine", "1.0", "./", entry_point, parameters, {"A": entry_point})
    template = {"container": {"env": [{"name": "X", "value": inert_json(contract.spec_to_json(spec))}]}}
    arrived = through_kubelet(through_argo(template)["container"]["env"][0]["value"])
    assert contract.spec_from_json("train", arrived) == spec


@pytest.mark.parametrize("text", ["{{workflow.name}}", "$(PATH)", "{{"])
def test_the_model_of_argo_and_kubelet_does_change_text_that_is_not_escaped(text: str) -> None:
    template = {"value": f"a {text}"}
    try:
        assert through_kubelet(through_argo(template)["value"]) != template["value"]
    except ValueError as error:
        assert "unclosed" in str(error)
