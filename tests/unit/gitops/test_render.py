"""`odahu-argo render` as a user has it: folders, files and exit codes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo import naming
from tests.commands import Ran, odahu_argo
from tests.manifests import training, write

TEMPLATE, RUN = Path("templates/wine.template.yaml"), Path("runs/wine.run.yaml")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path, training())
    return tmp_path


def render(place: Path, *options: object) -> Ran:
    return odahu_argo("render", "-f", "manifests.yaml", "-o", "git", *options, cwd=place)


def change(place: Path, **spec: Any) -> None:
    write(place, training(**spec))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def run_name(place: Path) -> str:
    return str(objects(place / "git" / RUN)[0]["metadata"]["name"])


def test_git_gets_a_template_a_run_and_kustomizations_that_name_them(place: Path) -> None:
    ran = render(place)
    assert (ran.code, ran.out) == (0, "")
    kustomizations = {"kustomization.yaml", "templates/kustomization.yaml", "runs/kustomization.yaml"}
    assert set(contents(place / "git")) == {str(TEMPLATE), str(RUN)} | kustomizations
    for path in kustomizations:
        [kustomization] = objects(place / "git" / path)
        assert all((place / "git" / path).parent.joinpath(each).exists() for each in kustomization["resources"])
    [template], [run] = objects(place / "git" / TEMPLATE), objects(place / "git" / RUN)
    assert template["metadata"]["name"] == "wine" == run["spec"]["workflowTemplateRef"]["name"]
    assert (
        run["metadata"]["name"]
        == f"wine-{template['spec']['workflowMetadata']['annotations'][naming.DIGEST_ANNOTATION][:8]}"
    )
    assert "generateName" not in str(run)


def test_an_unchanged_training_writes_nothing_again(place: Path) -> None:
    render(place)
    before = contents(place / "git")
    again = render(place)
    assert (again.code, again.err) == (0, "")
    assert contents(place / "git") == before


def test_a_change_is_run_under_another_name_by_the_same_template(place: Path) -> None:
    render(place)
    first = run_name(place)
    change(place, hyperParameters={"alpha": "0.7"})
    render(place)
    assert run_name(place) != first
    assert objects(place / "git" / TEMPLATE)[0]["metadata"]["name"] == "wine"
    change(place)
    render(place)
    assert run_name(place) == first


def test_a_review_shows_the_line_that_has_changed(place: Path) -> None:
    change(place, hyperParameters={"alpha": "0.5", "l1": "1"})
    render(place)
    change(place, hyperParameters={"alpha": "0.7", "l1": "1"})
    ran = render(place, "--check")
    changed = {line.strip() for line in ran.out.splitlines() if line.startswith(("+ ", "- "))}
    assert any(line.endswith('"alpha": "0.7",') for line in changed)
    assert max(map(len, changed)) < 100


def test_a_schedule_becomes_a_cron_workflow_beside_the_run(place: Path) -> None:
    change(place, schedules=["0 3 * * 1", "@monthly"], timezone="Europe/Berlin")
    render(place)
    run, cron = objects(place / "git" / RUN)
    assert cron["kind"] == "CronWorkflow"
    assert (cron["spec"]["schedules"], cron["spec"]["timezone"]) == (["0 3 * * 1", "@monthly"], "Europe/Berlin")
    assert cron["spec"]["workflowSpec"] == {"workflowTemplateRef": {"name": "wine"}}
    before = run["metadata"]["name"]
    change(place)
    render(place)
    assert [each["kind"] for each in objects(place / "git" / RUN)] == ["Workflow"]
    assert run_name(place) == before


def test_what_argo_makes_of_a_long_id_fits_its_limits(tmp_path: Path) -> None:
    write(tmp_path, {**training(schedules=["@daily"]), "id": "a" * 63})
    assert render(tmp_path).code == 0
    run, cron = objects(tmp_path / "git" / "runs" / f"{'a' * 63}.run.yaml")
    assert len(run["metadata"]["name"]) <= 63
    assert len(cron["metadata"]["name"]) <= 52


def test_manifests_and_what_is_rendered_may_share_a_folder(place: Path) -> None:
    first = odahu_argo("render", "-d", ".", "-o", "git", cwd=place)
    again = odahu_argo("render", "-d", ".", "-o", "git", "--check", cwd=place)
    assert (first.code, again.code) == (0, 0), again.err


def test_a_training_may_be_called_kustomization(tmp_path: Path) -> None:
    write(tmp_path, {**training(), "id": "kustomization"})
    assert render(tmp_path).code == 0
    assert objects(tmp_path / "git" / "runs" / "kustomization.run.yaml")[0]["kind"] == "Workflow"


def test_argo_keeps_a_finished_run_as_long_as_git_does(place: Path) -> None:
    """Else it would be removed, created again by Argo CD or Flux, and run again."""
    render(place)
    ttl = objects(place / "git" / RUN)[0]["spec"]["ttlStrategy"]
    assert set(ttl.values()) == {2**31 - 1}
    assert set(ttl) == {"secondsAfterCompletion", "secondsAfterSuccess", "secondsAfterFailure"}


ALLOWED_BY_STRICT = {
    *("arguments", "entrypoint", "shutdown", "suspend", "activeDeadlineSeconds", "priority", "ttlStrategy", "podGC"),
    *("volumeClaimGC", "archiveLogs", "workflowMetadata", "workflowTemplateRef", "metrics", "artifactGC"),
}
"""https://argo-workflows.readthedocs.io/en/latest/workflow-restrictions/"""


def test_runs_set_only_fields_that_argos_strict_referencing_allows(place: Path) -> None:
    change(place, schedules=["@daily"])
    render(place)
    run, cron = objects(place / "git" / RUN)
    assert set(run["spec"]) <= ALLOWED_BY_STRICT
    assert set(cron["spec"]["workflowSpec"]) <= ALLOWED_BY_STRICT


def test_connections_are_named_and_nothing_of_them_is_written(tmp_path: Path) -> None:
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


def test_files_of_a_training_that_is_gone_are_removed_and_those_of_others_stay(place: Path) -> None:
    write(place, training(), {**training(), "id": "old"})
    render(place)
    (place / "git" / "runs" / "own.yaml").write_text("# mine\n")
    (place / "git" / "README.md").write_text("mine\n")
    change(place)
    ran = render(place)
    assert f"removed {Path('git/templates/old.template.yaml')}" in ran.err
    kept = set(contents(place / "git"))
    assert "runs/own.yaml" in kept
    assert "README.md" in kept
    assert not [path for path in kept if "old" in path]


def test_an_edited_file_is_told_and_stays_until_it_is_given_up(place: Path) -> None:
    render(place)
    edited = place / "git" / TEMPLATE
    edited.write_text(edited.read_text().replace("parallelism: 8", "parallelism: 9"))
    before = contents(place / "git")
    change(place, hyperParameters={"alpha": "1"})
    ran = render(place)
    assert ran.code == 2
    assert "was edited since odahu-argo render wrote it" in ran.err
    assert "--overwrite" in ran.err
    assert contents(place / "git") == before
    assert render(place, "--overwrite").code == 0
    assert "parallelism: 8" in edited.read_text()


def test_an_edited_file_of_a_training_that_is_gone_is_not_removed(place: Path) -> None:
    write(place, training(), {**training(), "id": "old"})
    render(place)
    edited = place / "git" / "runs" / "old.run.yaml"
    edited.write_text(edited.read_text() + "# kept for the audit\n")
    change(place)
    ran = render(place)
    assert (ran.code, edited.exists()) == (2, True)
    assert "not removed" in ran.err


@pytest.mark.parametrize("link", [False, True])
def test_a_file_of_somebody_else_is_never_written_over(place: Path, link: bool) -> None:
    (place / "git" / "templates").mkdir(parents=True)
    (place / "elsewhere").write_text("theirs\n")
    mine = place / "git" / TEMPLATE
    mine.symlink_to(place / "elsewhere") if link else mine.write_text("theirs\n")
    ran = render(place, "--overwrite")
    assert ran.code == 2
    assert "odahu-argo render did not write it" in ran.err
    assert mine.read_text() == "theirs\n"
    assert set(contents(place / "git")) == {str(TEMPLATE)}


def test_line_breaks_of_windows_are_no_edit(place: Path) -> None:
    render(place)
    for path in (place / "git").rglob("*.yaml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert render(place, "--check").code == 0


def test_check_says_what_would_change_and_changes_nothing(place: Path) -> None:
    assert render(place, "--check").code == 1
    assert not (place / "git").exists()
    render(place)
    assert render(place, "--check").out == "git is up to date\n"
    before = contents(place / "git")
    change(place, hyperParameters={"alpha": "0.7"})
    ran = render(place, "--check")
    assert ran.code == 1
    assert "--- git/templates/wine.template.yaml" in ran.out
    assert "is out of date" in ran.err
    assert contents(place / "git") == before


def test_check_finds_a_missing_last_line_break(place: Path) -> None:
    render(place)
    run = place / "git" / RUN
    run.write_bytes(run.read_bytes().rstrip(b"\n"))
    ran = render(place, "--check")
    assert ran.code == 1
    assert "No newline at end of file" in ran.out


def test_a_mistake_in_a_manifest_leaves_the_folder_as_it_was(place: Path) -> None:
    render(place)
    before = contents(place / "git")
    change(place, image="not an image")
    assert render(place).code == 2
    assert contents(place / "git") == before


def test_nothing_is_written_where_one_file_cannot_be(place: Path) -> None:
    (place / "git").mkdir()
    (place / "git" / "runs").write_text("in the way of the folder\n")
    ran = render(place)
    assert ran.code in (2, 3)
    assert "Traceback" not in ran.err
    assert set(contents(place / "git")) == {"runs"}


def test_the_digest_in_the_first_line_is_that_of_the_rest(place: Path) -> None:
    render(place)
    first, _, rest = (place / "git" / RUN).read_text().partition("\n")
    assert hashlib.sha256(rest.encode()).hexdigest()[:16] in first
