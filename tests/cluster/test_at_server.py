"""Commands with --url against a real API server on a real Kubernetes API, compared with commands on the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.connections import GIT, S3, manifests
from tests.cluster.site import COMMIT, RUN, ZIP, Site
from tests.commands import Ran, Running, odahu_argo
from tests.manifests import training, write
from tests.servers.api import serving
from tests.servers.kubelet import TRAIN_NODE, kubelet
from tests.servers.programs import free_port

pytestmark = pytest.mark.cluster
TOKEN, DECRYPT = "t" * 20, "d" * 20


@dataclass(frozen=True)
class Reached:
    """A namespace and an API server for it."""

    site: Site
    url: str
    environment: dict[str, str]

    def __call__(self, *arguments: object, **options: Any) -> Ran:
        """Run a command through the API. No output contains a token."""
        ran = odahu_argo(*arguments, "--url", self.url, env=self.environment, **options)
        assert TOKEN not in ran.out + ran.err and DECRYPT not in ran.out + ran.err
        return ran

    def both(self, *arguments: object) -> Ran:
        """Run a command through the API after comparing the output with the cluster's."""
        here, there = self(*arguments), self.site.run(*arguments)
        assert (here.code, without_times(here.out)) == (there.code, without_times(there.out)), here.err + there.err
        return here


def without_times(text: str) -> str:
    """Without the moment at which a state was read, and ages."""
    kept = [line for line in text.splitlines() if '"seen":' not in line and " seen: " not in line]
    return "\n".join(" ".join(word for word in line.split() if not word[:-1].isdecimal()) for line in kept)


@pytest.fixture
def reached(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reached]:
    """A command that goes there has no kubeconfig."""
    import os

    token, decrypt = tmp_path / "token", tmp_path / "decrypt"
    token.write_text(TOKEN)
    decrypt.write_text(DECRYPT)
    monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(tmp_path / "none"))
    environment = {**os.environ, "ODAHU_ARGO_API_TOKEN": TOKEN, "KUBECONFIG": str(tmp_path / "none")}
    with serving("-n", site.namespace, "--token-file", token, "--decrypt-token-file", decrypt) as address:
        yield Reached(site, address, environment)


def test_output_matches_cluster(reached: Reached) -> None:
    site = reached.site
    assert "no trainings found (http://127.0.0.1" in reached("train", "get", "-o", "table").err
    assert site.create().code == 0
    assert site.create("--id", "wine-b").code == 0
    site.play("wine-1", "succeeded")
    site.play("wine-b-1", "train-failed")
    for form in ("json", "yaml", "table", "wide", "jsonpath=[*].status.artifacts"):
        assert reached.both("train", "get", "-o", form).code == 0
    assert reached.both("train", "get", "--id", "wine", "-o", "jsonpath=[*].spec.model.name").out == "wine\n"
    details = reached.both("train", "get", "--id", "wine-b", "-o", "table").out
    assert "train " in details and "hint:" in details
    [shown] = json.loads(reached("train", "get", "--id", "wine", "-o", "json").out)
    assert shown["status"]["artifacts"] == [{"runId": RUN, "artifactName": ZIP, "commitID": COMMIT}]
    for form in ("json", "yaml", "table", "wide"):
        assert reached.both("conn", "get", "-o", form).code == 0
        assert reached.both("ti", "get", "-o", form).code == 0
    lost = reached.both("train", "get", "--id", "cider")
    assert lost.code == 2 and f"odahu-argo train get --url {reached.url} lists those there are" in lost.err


def test_create_wait_edit_and_delete(reached: Reached) -> None:
    site, file = reached.site, reached.site.manifest()
    created = reached("train", "create", "-f", file, "--no-wait")
    assert (created.code, created.out) == (0, f"training wine submitted as workflow wine-1 at {reached.url}\n")
    assert f"odahu-argo train logs --id wine --url {reached.url}" in created.err
    again = reached("train", "create", "-f", file, "--no-wait")
    assert again.out == f"training wine is already running as workflow wine-1 at {reached.url}\n"
    late = reached("train", "create", "-f", file, "--timeout", "1")
    assert late.code == 5 and "had not ended after 1 s" in late.err and "train delete stops and deletes it" in late.err
    site.play("wine-1", "succeeded")
    taken = reached("train", "create", "-f", file)
    assert taken.code == 2 and "training 'wine' already exists: attempt 1, succeeded" in taken.err
    assert reached("train", "create", "-f", file, "--ignore-if-exists").out == "training wine already exists\n"
    with Running("train", "edit", "-f", file, "--url", reached.url, "--token-file", site.folder / "token") as waiting:
        waiting.wait_for("training wine is scheduling")
        site.play("wine-2", "train-failed")
        assert waiting.end() == 4
    assert "train  failed" in waiting.text and "error: training 'wine' failed in train" in waiting.text
    assert f"train edit -f FILE --url {reached.url} starts a new run" in waiting.text
    assert reached("train", "delete", "--id", "wine").out == "training wine deleted\n"
    assert reached("train", "delete", "-f", file).code == 2
    assert reached("train", "delete", "--id", "wine", "--ignore-not-found").out == "training wine does not exist\n"


def test_server_problems_have_positions_in_the_file(reached: Reached, tmp_path: Path) -> None:
    wrong = training(toolchain="mlfow", workDir="../elsewhere")
    file = write(tmp_path, wrong)
    here, there = (each("train", "create", "-f", file, "--no-wait") for each in (reached, reached.site.run))
    line = 1 + file.read_text().splitlines().index("  toolchain: mlfow")
    assert here.code == there.code == 2
    assert f"{file}:{line}: spec.toolchain: unknown toolchain 'mlfow'" in here.err
    told = [line for line in here.err.splitlines() if line.startswith("error:")]
    assert told == [line for line in there.err.splitlines() if line.startswith("error:")]
    lost = write(tmp_path, training(data=[{"connName": "nowhere", "localPath": "d/"}]))
    missing = reached("train", "create", "-f", lost, "--no-wait")
    assert missing.code == 2 and "Secret connection-nowhere does not exist" in missing.err


def test_watch_and_follow_logs(reached: Reached) -> None:
    site = reached.site
    assert site.create().code == 0
    with Running("train", "--url", reached.url, "--token", TOKEN, "get", "--watch") as watching:
        watching.wait_for("wine")
        with Running(
            "train", "logs", "--id", "wine", "--url", reached.url, "--token-file", site.folder / "token"
        ) as log:
            log.wait_for("training wine is scheduling: Argo has not processed the workflow yet")
            site.play("wine-1", "succeeded")
            assert log.end() == 0
        watching.wait_for("succeeded")
        assert site.run("train", "delete", "--id", "wine").code == 0
        watching.wait_for("wine was deleted")
    lost = reached("train", "logs", "--id", "wine")
    assert lost.code == 2 and "training 'wine' does not exist" in lost.err


def test_follow_survives_server_restart_without_duplicate_lines(site: Site, tmp_path: Path) -> None:
    assert site.create().code == 0
    port = free_port()
    where = ("--url", f"http://127.0.0.1:{port}")
    with kubelet(site.api, site.namespace) as node:
        pod = node.start("wine-1", "train", f"wine-1-{TRAIN_NODE}")
        node.say(pod, "epoch 1", "epoch 2")
        site.play("wine-1", "running-train")
        with serving("-n", site.namespace, "--port", port):
            one = odahu_argo("train", "logs", "--id", "wine", "--step", "train", "--not-follow", *where)
            assert (one.code, one.out) == (0, "epoch 1\nepoch 2\n")
            following = Running("train", "logs", "--id", "wine", *where)
            following.__enter__()
            following.wait_for("train | epoch 2")
        try:
            following.wait_for("disconnected: ")
            node.say(pod, "epoch 3")
            with serving("-n", site.namespace, "--port", port):
                following.wait_for("train | epoch 3")
                following.wait_for("reconnected")
                node.say(pod, "epoch 4")
                following.wait_for("train | epoch 4")
                node.end(pod)
                site.play("wine-1", "succeeded")
                assert following.end() == 0
        finally:
            following.__exit__()
    told = [line for line in following.text.splitlines() if line.startswith("train | ")]
    assert told == [f"train | epoch {number}" for number in (1, 2, 3, 4)]


def test_connections_and_toolchains(reached: Reached, tmp_path: Path) -> None:
    file = manifests(tmp_path, wine=S3, code_b=GIT)
    assert reached("conn", "create", "-f", file).out == "connection wine created\nconnection code-b created\n"
    taken = reached("conn", "create", "-f", file)
    assert taken.code == 2 and taken.err.count("there is a connection") == 2
    assert reached("conn", "apply", "-f", file).out == "connection wine unchanged\nconnection code-b unchanged\n"
    other = manifests(tmp_path, wine={**S3, "keySecret": "CANARYother"})
    edited = reached("conn", "edit", "-f", other, "-o", "json")
    assert edited.code == 0 and "connection wine updated" in edited.err and "CANARY" not in edited.out + edited.err
    assert json.loads(edited.out)[0]["spec"]["keySecret"] == "*****"
    denied = reached("conn", "get", "--id", "wine", "--decrypted")
    assert denied.code == 2 and "right to decrypt" in denied.err
    permitted = odahu_argo(
        "conn", "get", "--id", "wine", "--decrypted", "-o", "json", "--url", reached.url, "--token-file",
        tmp_path / "decrypt", env=reached.environment,
    )  # fmt: skip
    there = reached.site.run("conn", "get", "--id", "wine", "--decrypted", "-o", "json")
    assert permitted.out == there.out and "CANARYother" in permitted.out
    assert reached("conn", "delete", "--id", "wine").out == "connection wine deleted\n"
    assert reached("conn", "edit", "-f", other).code == 2
    toolchain = tmp_path / "toolchain.yaml"
    toolchain.write_text(
        yaml.safe_dump({"kind": "ToolchainIntegration", "id": "mine", "spec": {"entrypoint": "mlflow"}})
    )
    assert reached("ti", "create", "-f", toolchain).out == "toolchain mine created\n"
    assert reached("ti", "edit", "-f", toolchain).out == "toolchain mine unchanged\n"
    assert reached.both("ti", "get", "--id", "mine", "-o", "yaml").code == 0
    assert reached("ti", "delete", "-f", toolchain).out == "toolchain mine deleted\n"
    built_in = reached("ti", "delete", "--id", "mlflow")
    assert built_in.code == 2 and "is built in" in built_in.err


def test_bulk_apply_and_delete(reached: Reached, tmp_path: Path) -> None:
    toolchain = {"kind": "ToolchainIntegration", "id": "mine", "spec": {"entrypoint": "mlflow"}}
    file = write(tmp_path, training(toolchain="mine"), toolchain)
    applied = reached("bulk", "apply", file, "-o", "changes")
    assert applied.out.splitlines()[2:] == [
        "ToolchainIntegration mine created",
        "ModelTraining wine created",
    ], applied.err
    assert "warning" not in applied.err
    again = reached("bulk", "apply", file, "-o", "json")
    assert [each["outcome"] for each in json.loads(again.out)] == ["unchanged"] * 4
    removed = reached("bulk", "delete", file)
    assert removed.code == 0 and "removed resources: 4 (ModelTraining wine, ToolchainIntegration mine, " in removed.out
