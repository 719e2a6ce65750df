"""What a JSONPath picks, as odahuflowctl 1.6.1 printed it: each of these was seen from that program."""

from __future__ import annotations

from typing import Any

import pytest

from odahu_argo.cli.formats import show

TRAINING: dict[str, Any] = {
    "kind": "ModelTraining",
    "id": "tensorflow-cli",
    "spec": {
        "model": {"name": "tensorflow", "version": "1.0"},
        "toolchain": "mlflow",
        "hyperParameters": {"alpha": "1.0"},
    },
    "status": {"state": "scheduling", "artifacts": []},
}
OTHER = {**TRAINING, "id": "other", "spec": {**TRAINING["spec"], "model": {"name": "wine", "version": "2"}}}


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("[*].spec.model.name", "tensorflow"),
        ("$[0].spec.model.version", "1.0"),
        ("[0].spec.hyperParameters.alpha", "1.0"),
        ("$[0].status.artifacts[0].artifactName", "[]"),
        ("[*].nope", "[]"),
        ("[*].spec.image", ""),
    ],
)
def test_one_training(expression: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    show([TRAINING], f"jsonpath={expression}", lambda _: None)
    assert capsys.readouterr().out == f"{printed}\n"


def test_several_trainings_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    show([TRAINING, OTHER], "jsonpath=[*].spec.model.name", lambda _: None)
    assert capsys.readouterr().out == '["tensorflow", "wine"]\n'
