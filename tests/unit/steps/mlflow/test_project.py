"""MLproject files: entry points, rendered commands and environment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.project import Project, find_entry_point, read_project, render_command


def project(directory: Path, text: str, **files: str) -> Project:
    (directory / "MLproject").write_text(text)
    for name, content in files.items():
        (directory / name.replace("_dot_", ".")).write_text(content)
    return read_project(directory)


def command(directory: Path, text: str, **hyper_parameters: str) -> str:
    entry_point = find_entry_point(project(directory, text), "main")
    return render_command(entry_point, hyper_parameters, directory / "downloads").command


def test_values_are_quoted(tmp_path: Path) -> None:
    text = "entry_points: {main: {parameters: {a: string, b: {type: float, default: 0.5}}, command: 'run {a} {b}'}}"
    assert command(tmp_path, text, a="x; $(touch y)") == "run 'x; $(touch y)' 0.5"


def test_braces_of_command_are_written_twice(tmp_path: Path) -> None:
    assert command(tmp_path, "entry_points: {main: {command: 'awk {{print}}'}}") == "awk {print}"
    with pytest.raises(UserError, match="cannot be rendered: KeyError"):
        command(tmp_path, "entry_points: {main: {command: 'awk {print}'}}")


def test_uri_of_path_parameter_is_downloaded(tmp_path: Path) -> None:
    text = "entry_points: {main: {parameters: {data: path}, command: 'run {data}'}}"
    entry_point = find_entry_point(project(tmp_path, text), "main")
    rendered = render_command(entry_point, {"data": "s3://bucket/a/data.csv"}, tmp_path)
    assert rendered.downloads == {f"{tmp_path}/param_0/data.csv": "s3://bucket/a/data.csv"}
    assert rendered.command == f"run {tmp_path}/param_0/data.csv"


def test_uri_parameter_requires_uri(tmp_path: Path) -> None:
    text = "entry_points: {main: {parameters: {data: uri}, command: 'run {data}'}}"
    with pytest.raises(UserError, match=r"must be a URI, not 'data\.csv'"):
        command(tmp_path, text, data="data.csv")


def test_reads_python_env_with_included_requirements(tmp_path: Path) -> None:
    python_env = "python: 3.9.13\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt, pandas<2]\n"
    environment = project(
        tmp_path,
        "python_env: python_env.yaml\nentry_points: {}",
        python_env_dot_yaml=python_env,
        requirements_dot_txt="mlflow==2.9.2  # pinned\n\n--index-url https://index.example.org\n",
    ).environment
    assert environment is not None
    assert environment.python == "3.9.13"
    assert environment.pip == ["pip", "mlflow==2.9.2", "--index-url https://index.example.org", "pandas<2"]


def test_reads_conda_env(tmp_path: Path) -> None:
    conda = "channels: [defaults]\ndependencies: [python=3.6, numpy=1.14.3, pip, {pip: ['mlflow>=1.0']}]\n"
    environment = project(tmp_path, "conda_env: c.yaml\nentry_points: {}", c_dot_yaml=conda).environment
    assert environment is not None
    assert (environment.python, environment.conda, environment.pip, environment.channels) == (
        "3.6",
        ["numpy=1.14.3"],
        ["mlflow>=1.0"],
        ["defaults"],
    )


def test_uses_default_environment_file(tmp_path: Path) -> None:
    environment = project(tmp_path, "entry_points: {}", conda_dot_yaml="dependencies: [python>=3.7]\n").environment
    assert environment is not None
    assert (environment.kind, environment.python) == ("conda_env", ">=3.7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("python_env: absent.yaml", "python_env refers to 'absent.yaml', which does not exist"),
        ("{python_env: a.yaml, conda_env: b.yaml}", "must not contain both python_env and conda_env"),
        ("entry_points: {main: {parameters: {}}}", "entry point 'main' has no command"),
    ],
)
def test_invalid_project_is_user_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        project(tmp_path, text)


def test_invalid_environment_file_is_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"environment file .*python_env\.yaml cannot be read"):
        project(tmp_path, "python_env: python_env.yaml", python_env_dot_yaml="dependencies: numpy\n")
