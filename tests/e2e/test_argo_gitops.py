"""A rendered training on a real Argo controller, applied by kubectl as Argo CD and Flux do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.servers.argo import ArgoSite

pytestmark = [pytest.mark.argo, pytest.mark.timeout(1200)]


def kubectl_apply(site: ArgoSite, folder: Path) -> list[str]:
    """Apply the templates and then the runs, as documented; return kubectl's output lines."""
    lines: list[str] = []
    for part in ("templates", "runs"):
        command = ["kubectl", "apply", "-n", site.namespace, "-k", str(folder / part)]
        lines += subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return lines


def test_rendered_training_runs_once_and_has_history_and_logs(site: ArgoSite, tmp_path: Path) -> None:
    text = "{{workflow.name}} $(PATH)"
    result = site.run("render", "-f", site.manifest("from-git", hyperParameters={"text": text}), "-o", tmp_path)
    assert result.code == 0, result.err
    assert len(kubectl_apply(site, tmp_path)) == 2
    status = site.wait("from-git", lambda found: found["state"] == "succeeded")
    assert "odahuflow.project.yaml" in site.artifact(status["artifacts"][0]["artifactName"])
    assert all(line.endswith(" unchanged") for line in kubectl_apply(site, tmp_path))
    [only] = json.loads(site.run("train", "history", "--id", "from-git", "-o", "json").out)
    assert only["attempt"] == 1
    assert only["spec"]["hyperParameters"] == {"text": text}
    logs = site.run("train", "logs", "--id", "from-git", "--step", "train")
    assert f"text: {text!a}" in logs.out
    difference = site.run("diff", "-f", site.manifest("from-git", hyperParameters={"text": "other"}), "-o", tmp_path)
    assert difference.code == 1
