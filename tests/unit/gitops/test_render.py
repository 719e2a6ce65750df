"""The command `odahu-argo render`: directories, files and exit codes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo import naming
from tests.commands import CommandResult, odahu_argo
from tests.manifests import training, write

TEMPLATE, RUN = Path("templates/wine.template.yaml"), Path("runs/wine.run.yaml")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path, training())
    return tmp_path


def render(directory: Path, *options: object) -> CommandResult:
    return odahu_argo("render", "-f", "manifests.yaml", "-o", "git", *options, cwd=directory)


def change(directory: Path, **spec: Any) -> None:
    write(directory, training(**spec))


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def run_name(directory: Path) -> str:
    return str(objects(directory / "git" / RUN)[0]["metadata"]["name"])


def test_renders_template_run_and_kustomizations(directory: Path) -> None:
    ran = render(directory)
    assert (ran.code, ran.out) == (0, "")
    kustomizations = {"kustomization.yaml", "templates/kustomization.yaml", "runs/kustomization.yaml"}
    assert set(contents(directory / "git")) == {str(TEMPLATE), str(RUN)} | kustomizations
    for path in kustomizations:
        [kustomization] = objects(directory / "git" / path)
        assert all((directory / "git" / path).parent.joinpath(each).exists() for each in kustomization["resources"])
    [template], [run] = objects(directory / "git" / TEMPLATE), objects(directory / "git" / RUN)
    assert template["metadata"]["name"] == "wine" == run["spec"]["workflowTemplateRef"]["name"]
    assert (
        run["metadata"]["name"]
        == f"wine-{template['spec']['workflowMetadata']['annotations'][naming.DIGEST_ANNOTATION][:8]}"
    )
    assert "generateName" not in str(run)


def test_unchanged_training_writes_nothing(directory: Path) -> None:
    render(directory)
    before = contents(directory / "git")
    again = render(directory)
    assert (again.code, again.err) == (0, "")
    assert contents(directory / "git") == before


def test_change_renames_run_but_not_template(directory: Path) -> None:
    render(directory)
    first = run_name(directory)
    change(directory, hyperParameters={"alpha": "0.7"})
    render(directory)
    assert run_name(directory) != first
    assert objects(directory / "git" / TEMPLATE)[0]["metadata"]["name"] == "wine"
    change(directory)
    render(directory)
    assert run_name(directory) == first


def test_diff_shows_changed_line(directory: Path) -> None:
    change(directory, hyperParameters={"alpha": "0.5", "l1": "1"})
    render(directory)
    change(directory, hyperParameters={"alpha": "0.7", "l1": "1"})
    ran = render(directory, "--check")
    changed = {line.strip() for line in ran.out.splitlines() if line.startswith(("+ ", "- "))}
    assert any(line.endswith('"alpha": "0.7",') for line in changed)
    assert max(map(len, changed)) < 100


def test_schedule_renders_cron_workflow(directory: Path) -> None:
    change(directory, schedules=["0 3 * * 1", "@monthly"], timezone="Europe/Berlin")
    render(directory)
    run, cron = objects(directory / "git" / RUN)
    assert cron["kind"] == "CronWorkflow"
    assert (cron["spec"]["schedules"], cron["spec"]["timezone"]) == (["0 3 * * 1", "@monthly"], "Europe/Berlin")
    assert cron["spec"]["workflowSpec"] == {"workflowTemplateRef": {"name": "wine"}}
    before = run["metadata"]["name"]
    change(directory)
    render(directory)
    assert [each["kind"] for each in objects(directory / "git" / RUN)] == ["Workflow"]
    assert run_name(directory) == before


def test_long_id_fits_limits_of_argo(tmp_path: Path) -> None:
    write(tmp_path, {**training(schedules=["@daily"]), "id": "a" * 63})
    assert render(tmp_path).code == 0
    run, cron = objects(tmp_path / "git" / "runs" / f"{'a' * 63}.run.yaml")
    assert len(run["metadata"]["name"]) <= 63
    assert len(cron["metadata"]["name"]) <= 52


def test_output_inside_manifest_directory(directory: Path) -> None:
    first = odahu_argo("render", "-d", ".", "-o", "git", cwd=directory)
    again = odahu_argo("render", "-d", ".", "-o", "git", "--check", cwd=directory)
    assert (first.code, again.code) == (0, 0), again.err


def test_training_named_kustomization(tmp_path: Path) -> None:
    write(tmp_path, {**training(), "id": "kustomization"})
    assert render(tmp_path).code == 0
    assert objects(tmp_path / "git" / "runs" / "kustomization.run.yaml")[0]["kind"] == "Workflow"


def test_finished_run_is_not_deleted(directory: Path) -> None:
    """Argo CD or Flux would create and run a deleted workflow again."""
    render(directory)
    ttl = objects(directory / "git" / RUN)[0]["spec"]["ttlStrategy"]
    assert set(ttl.values()) == {2**31 - 1}
    assert set(ttl) == {"secondsAfterCompletion", "secondsAfterSuccess", "secondsAfterFailure"}


ALLOWED_BY_STRICT = {
    *("arguments", "entrypoint", "shutdown", "suspend", "activeDeadlineSeconds", "priority", "ttlStrategy", "podGC"),
    *("volumeClaimGC", "archiveLogs", "workflowMetadata", "workflowTemplateRef", "metrics", "artifactGC"),
}
"""https://argo-workflows.readthedocs.io/en/latest/workflow-restrictions/"""


def test_runs_conform_to_strict_referencing(directory: Path) -> None:
    change(directory, schedules=["@daily"])
    render(directory)
    run, cron = objects(directory / "git" / RUN)
    assert set(run["spec"]) <= ALLOWED_BY_STRICT
    assert set(cron["spec"]["workflowSpec"]) <= ALLOWED_BY_STRICT


def test_output_contains_no_connection_fields(tmp_path: Path) -> None:
    secret = (
        "kind: Connection\nid: wine-data\nspec: {type: s3, uri: 's3://wine/x', keyID: AKIACANARY, keySecret: c4n4ry}\n"
    )
    write(
        tmp_path,
        training(),
        connections=f"kind: Connection\nid: code\nspec: {{type: git, uri: 'https://u:p4ss@h/x.git'}}\n---\n{secret}",
    )
    (tmp_path / "profile.yaml").write_text("external_secrets: {store: vault, prefix: ml/}\n")
    assert render(tmp_path, "--profile", "profile.yaml").code == 0
    text = b"".join(contents(tmp_path / "git").values())
    assert all(canary not in text for canary in (b"AKIACANARY", b"c4n4ry", b"p4ss", b"s3://wine/x"))
    [external] = objects(tmp_path / "git" / "templates" / "wine-data.secret.yaml")
    assert external["spec"]["target"]["name"] == "connection-wine-data"
    assert external["spec"]["dataFrom"] == [{"extract": {"key": "ml/wine-data"}}]
    [kustomization] = objects(tmp_path / "git" / "templates" / "kustomization.yaml")
    assert {"code.secret.yaml", "models-output.secret.yaml", "wine-data.secret.yaml"} < set(kustomization["resources"])


def test_removes_obsolete_files_only(directory: Path) -> None:
    write(directory, training(), {**training(), "id": "old"})
    render(directory)
    (directory / "git" / "runs" / "own.yaml").write_text("# mine\n")
    (directory / "git" / "README.md").write_text("mine\n")
    change(directory)
    ran = render(directory)
    assert f"removed {Path('git/templates/old.template.yaml')}" in ran.err
    kept = set(contents(directory / "git"))
    assert "runs/own.yaml" in kept
    assert "README.md" in kept
    assert not [path for path in kept if "old" in path]


def test_keeps_edited_file_unless_overwrite(directory: Path) -> None:
    render(directory)
    edited = directory / "git" / TEMPLATE
    edited.write_text(edited.read_text().replace("parallelism: 8", "parallelism: 9"))
    before = contents(directory / "git")
    change(directory, hyperParameters={"alpha": "1"})
    ran = render(directory)
    assert ran.code == 2
    assert "was edited after odahu-argo render wrote it" in ran.err
    assert "--overwrite" in ran.err
    assert contents(directory / "git") == before
    assert render(directory, "--overwrite").code == 0
    assert "parallelism: 8" in edited.read_text()


def test_keeps_edited_obsolete_file(directory: Path) -> None:
    write(directory, training(), {**training(), "id": "old"})
    render(directory)
    edited = directory / "git" / "runs" / "old.run.yaml"
    edited.write_text(edited.read_text() + "# kept for the audit\n")
    change(directory)
    ran = render(directory)
    assert (ran.code, edited.exists()) == (2, True)
    assert "not removed" in ran.err


@pytest.mark.parametrize("link", [False, True])
def test_never_overwrites_foreign_file(directory: Path, link: bool) -> None:
    (directory / "git" / "templates").mkdir(parents=True)
    (directory / "elsewhere").write_text("theirs\n")
    mine = directory / "git" / TEMPLATE
    mine.symlink_to(directory / "elsewhere") if link else mine.write_text("theirs\n")
    ran = render(directory, "--overwrite")
    assert ran.code == 2
    assert "odahu-argo render did not write it" in ran.err
    assert mine.read_text() == "theirs\n"
    assert set(contents(directory / "git")) == {str(TEMPLATE)}


def test_windows_line_endings_are_no_edit(directory: Path) -> None:
    render(directory)
    for path in (directory / "git").rglob("*.yaml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert render(directory, "--check").code == 0


def test_check_shows_diff_and_writes_nothing(directory: Path) -> None:
    assert render(directory, "--check").code == 1
    assert not (directory / "git").exists()
    render(directory)
    assert render(directory, "--check").out == "git is up to date\n"
    before = contents(directory / "git")
    change(directory, hyperParameters={"alpha": "0.7"})
    ran = render(directory, "--check")
    assert ran.code == 1
    assert "--- git/templates/wine.template.yaml" in ran.out
    assert "is out of date" in ran.err
    assert contents(directory / "git") == before


def test_check_detects_missing_final_newline(directory: Path) -> None:
    render(directory)
    run = directory / "git" / RUN
    run.write_bytes(run.read_bytes().rstrip(b"\n"))
    ran = render(directory, "--check")
    assert ran.code == 1
    assert "No newline at end of file" in ran.out


def test_invalid_manifest_changes_nothing(directory: Path) -> None:
    render(directory)
    before = contents(directory / "git")
    change(directory, image="not an image")
    assert render(directory).code == 2
    assert contents(directory / "git") == before


def test_writes_all_or_nothing(directory: Path) -> None:
    (directory / "git").mkdir()
    (directory / "git" / "runs").write_text("blocks the directory\n")
    ran = render(directory)
    assert ran.code in (2, 3)
    assert "Traceback" not in ran.err
    assert set(contents(directory / "git")) == {"runs"}


def test_header_contains_digest(directory: Path) -> None:
    render(directory)
    first, _, rest = (directory / "git" / RUN).read_text().partition("\n")
    assert hashlib.sha256(rest.encode()).hexdigest()[:16] in first
