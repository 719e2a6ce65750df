from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import artifact_name
from odahu_argo.errors import UserError

UUID = "be17d12d-df43-4588-99e7-56a0db3cad77"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (artifact_name.DEFAULT_TEMPLATE, f"wine-3.0-{UUID}.zip"),
        ("{{ .Name }}-{{ .Version }}.zip", "wine-3.0.zip"),
        ("{{.Name}}-{{.Version}}.zip", "wine-3.0.zip"),
        ("{{ .Name }} {{- .Version -}} .zip", "wine3.0.zip"),
        ("{{- .Name -}}.zip", "wine.zip"),
        ("model.zip", "model.zip"),
    ],
)
def test_renders_go_template(template: str, name: str) -> None:
    assert artifact_name.render(template, "wine", "3.0", UUID) == name


@pytest.mark.parametrize(
    "template",
    [
        "{{ .Nam }}.zip",
        "{{ Name }}.zip",
        "{{-.Name}}.zip",
        "{{ .Name | printf }}.zip",
        "{{ if .Name }}x{{ end }}.zip",
        "{{/* comment */}}.zip",
        "{{ .Name }.zip",
        "{{ .Name }}}}.zip",
        "{{workflow.name}}.zip",
        "{{ .Name }}/{{ .Version }}.zip",
        "../{{ .Name }}.zip",
        ".{{ .Name }}",
        "-{{ .Name }}.zip",
        "{{ .Name }} .zip",
        "$(PATH).zip",
        "`id`.zip",
        "{{ .Name }}\n.zip",
        "",
        "{{ .Name }}" * 64,
    ],
)
def test_rejects_other_templates(template: str) -> None:
    with pytest.raises(UserError):
        artifact_name.render(template, "wine", "3.0", UUID)


def test_error_lists_available_fields() -> None:
    with pytest.raises(UserError) as error:
        artifact_name.check("{{ .Nam }}.zip", "wine", "3.0")
    [problem] = error.value.problems
    assert ".Nam" in problem.message
    assert "{{ .Name }}, {{ .Version }}, {{ .RandomUUID }}" in str(problem.hint)


def test_preview_has_placeholder_for_uuid() -> None:
    assert artifact_name.preview(artifact_name.DEFAULT_TEMPLATE, "wine", "3.0") == "wine-3.0-<random UUID>.zip"


@given(st.text(max_size=60))
def test_result_is_safe_file_name(template: str) -> None:
    try:
        name = artifact_name.render(template, "wine", "3.0", UUID)
    except UserError:
        return
    assert name.isascii()
    assert name[0].isalnum()
    assert not set(name) & set("/\\{}$`\"' \n\0")
