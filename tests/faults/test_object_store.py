"""An unavailable object store during the step package: `--resume` uploads the model without training it again."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.archives import read_tar
from tests.commands import odahu_argo
from tests.local_project import LocalProject
from tests.servers.s3 import lasting_s3


def test_resume_uploads_after_store_outage(local_project: LocalProject, tmp_path: Path) -> None:
    local_project.bucket.put_all({"data/data.csv": b"acid,sugar,quality\n1.5,2,5\n2.5,3,6\n0.5,1,7\n"})
    manifests = local_project.manifests(outputConnection="models")
    profile = tmp_path / "profile.yaml"
    profile.write_text("retries: {transfer: 0}\n")
    run = ("local", "train", "run", "-f", manifests, "--profile", profile, "-o", "json")
    with lasting_s3(tmp_path / "models") as (models, server):
        output = {"kind": "Connection", "id": "models", "spec": models.fields("trained")}
        manifests.write_text(manifests.read_text() + "---\n" + yaml.safe_dump(output))
        server.kill()
        failed = odahu_argo(*run)
        assert failed.code == 4, failed.err
        assert "training 'wine' failed in package: " in failed.err
        assert "--resume continues from step package" in failed.err
        [before] = json.loads(failed.out)["status"]["artifacts"]

        server.start()
        resumed = odahu_argo(*run, "--resume")
        assert resumed.code == 0, resumed.err
        assert "train  succeeded in the earlier run" in resumed.err
        [artifact] = json.loads(resumed.out)["status"]["artifacts"]
        assert artifact["runId"] == before["runId"]
        assert models.keys() == [f"trained/{artifact['artifactName']}"]
        project = yaml.safe_load(read_tar(models.get(models.keys()[0]))["odahuflow.project.yaml"])
        assert project["output"]["run_id"] == artifact["runId"]
