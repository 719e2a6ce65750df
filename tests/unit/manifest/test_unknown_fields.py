"""Unknown fields: ignored with a warning, as ODAHU ignored them, unless they look like typos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from odahu_argo.manifest.fields import is_similar
from odahu_argo.manifest.load import load, load_with_problems
from odahu_argo.manifest.models import ConnectionSpec, ModelTrainingSpec
from tests.commands import odahu_argo
from tests.manifests import training, write


def compile_training(tmp_path: Path, *options: str, **spec: Any) -> tuple[int, str]:
    result = odahu_argo("compile", "-f", write(tmp_path, training(**spec)), *options)
    return result.code, result.err


@pytest.mark.parametrize("value", [{"a": "b"}, "text", "", None, []])
def test_unknown_field_is_ignored_with_a_warning(tmp_path: Path, value: object) -> None:
    data = [{"connName": "wine-data", "localPath": "data/", "purpose": value}]
    [loaded] = (manifests := load([write(tmp_path, training(_comment=value, data=data))])).trainings
    fields = [problem.location.field for problem in manifests.warnings]
    assert fields == ["spec.data[0].purpose", *([] if value is None else ["spec._comment"])]
    assert loaded.manifest.spec.data[0].local_path == "data/"
    assert "_comment" not in loaded.document.value["spec"]


def test_warning_has_the_line_and_strict_makes_it_an_error(tmp_path: Path) -> None:
    code, output = compile_training(tmp_path, project="wine")
    assert (code, "manifests.yaml:12: spec.project: unknown field 'project' is ignored" in output) == (0, True)
    code, output = compile_training(tmp_path, "--strict", project="wine")
    assert (code, output.startswith("error: ")) == (2, True)
    assert "spec.project: unknown field 'project' is ignored" in output


@pytest.mark.parametrize(("options", "is_strict"), [((), False), (("--strict",), True)])
def test_strict_workflow_rejects_packages_that_differ(
    tmp_path: Path, options: tuple[str, ...], is_strict: bool
) -> None:
    result = odahu_argo("compile", "-f", write(tmp_path, training()), *options)
    assert result.code == 0, result.err
    assert ('"strict_environment":true' in result.out.replace('": ', '":')) is is_strict


@pytest.mark.parametrize("value", ["a", "", None])
@pytest.mark.parametrize("name", ["hyperparameters", "hyper_parameters", "entrypont", "output-connection", "resource"])
def test_typo_is_an_error(tmp_path: Path, name: str, value: object) -> None:
    manifests = load_with_problems([write(tmp_path, training(**{name: value or ""}))])
    [problem] = manifests.problems
    assert problem.message == f"unknown field {name!r}"
    assert problem.hint is not None and problem.hint.startswith("did you mean ")


def test_reports_errors_beside_unknown_fields(tmp_path: Path) -> None:
    manifests = load_with_problems([write(tmp_path, training(purpose="demo", image="not valid", toolchain=None))])
    fields = {problem.location.field for problem in manifests.problems}
    assert fields == {"spec.image", "spec.toolchain"}


def test_top_level_fields_and_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "kind: Connection\nid: c\nowner: me\nspec: {type: s3, uri: s3://a/b, tier: gold}\n"
    )
    (tmp_path / "t.yaml").write_text("kind: ToolchainIntegration\nid: t\nspec: {entrypoint: t, tier: gold}\n")
    manifests = load([tmp_path])
    assert len(manifests.connections) == len(manifests.toolchains) == 1
    assert sorted(str(problem.location.field) for problem in manifests.warnings) == ["owner", "spec.tier", "spec.tier"]


@pytest.mark.parametrize(
    ("model", "names"), [(ModelTrainingSpec, ("_comment", "purpose")), (ConnectionSpec, ("project",))]
)
def test_fields_of_published_manifests_are_no_typos(model: Any, names: tuple[str, ...]) -> None:
    fields = [field.alias or name for name, field in model.model_fields.items()]
    assert not any(is_similar(name, fields) for name in names)


def test_empty_text_counts_as_missing(tmp_path: Path) -> None:
    empty = {"image": "", "outputConnection": "", "workDir": "", "reference": "", "entrypoint": ""}
    [loaded] = load([write(tmp_path, training(**empty))]).trainings
    spec = loaded.manifest.spec
    assert (spec.image, spec.output_connection, spec.work_dir, spec.entrypoint) == (None, None, "./", "main")
    missing = load_with_problems([write(tmp_path, training(model={"name": "", "version": "1"}))])
    assert [problem.location.field for problem in missing.problems] == ["spec.model.name"]
