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
from tests.commands import CommandResult, Running, odahu_argo
from tests.manifests import training, write
from tests.servers.api import serving
from tests.servers.kubelet import TRAIN_NODE, kubelet
from tests.servers.programs import free_port

pytestmark = pytest.mark.cluster
TOKEN, DECRYPT = "t" * 20, "d" * 20


@dataclass(frozen=True)
class ServerCommand:
    """A namespace and an API server for it."""

    site: Site
    url: str
    environment: dict[str, str]

    def __call__(self, *arguments: object, **options: Any) -> CommandResult:
        """Run a command through the API. No output contains a token."""
        result = odahu_argo(*arguments, "--url", self.url, env=self.environment, **options)
        assert TOKEN not in result.out + result.err and DECRYPT not in result.out + result.err
        return result

    def both(self, *arguments: object) -> CommandResult:
        """Run a command through the API after comparing the output with the cluster's."""
        remote, direct = self(*arguments), self.site.run(*arguments)
        assert (remote.code, without_times(remote.out)) == (direct.code, without_times(direct.out)), (
            remote.err + direct.err
        )
        return remote


def without_times(text: str) -> str:
    """Remove the times of status reads, and ages."""
    lines = [line for line in text.splitlines() if '"seen":' not in line and " seen: " not in line]
    return "\n".join(" ".join(word for word in line.split() if not word[:-1].isdecimal()) for line in lines)


@pytest.fixture
def server(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerCommand]:
    """An API server, and commands that use it without a kubeconfig."""
    import os

    token, decrypt = tmp_path / "token", tmp_path / "decrypt"
    token.write_text(TOKEN)
    decrypt.write_text(DECRYPT)
    monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(tmp_path / "none"))
    environment = {**os.environ, "ODAHU_ARGO_API_TOKEN": TOKEN, "KUBECONFIG": str(tmp_path / "none")}
    with serving("-n", site.namespace, "--token-file", token, "--decrypt-token-file", decrypt) as address:
        yield ServerCommand(site, address, environment)


def test_output_matches_cluster(server: ServerCommand) -> None:
    site = server.site
    assert "no trainings found (http://127.0.0.1" in server("train", "get", "-o", "table").err
    assert site.create().code == 0
    assert site.create("--id", "wine-b").code == 0
    site.play("wine-1", "succeeded")
    site.play("wine-b-1", "train-failed")
    for form in ("json", "yaml", "table", "wide", "jsonpath=[*].status.artifacts"):
        assert server.both("train", "get", "-o", form).code == 0
    assert server.both("train", "get", "--id", "wine", "-o", "jsonpath=[*].spec.model.name").out == "wine\n"
    details = server.both("train", "get", "--id", "wine-b", "-o", "table").out
    assert "train " in details and "hint:" in details
    [shown] = json.loads(server("train", "get", "--id", "wine", "-o", "json").out)
    assert shown["status"]["artifacts"] == [{"runId": RUN, "artifactName": ZIP, "commitID": COMMIT}]
    for form in ("json", "yaml", "table", "wide"):
        assert server.both("conn", "get", "-o", form).code == 0
        assert server.both("ti", "get", "-o", form).code == 0
    lost = server.both("train", "get", "--id", "cider")
    assert lost.code == 2 and f"odahu-argo train get --url {server.url} lists trainings" in lost.err


def test_create_wait_edit_and_delete(server: ServerCommand) -> None:
    site, file = server.site, server.site.manifest()
    created = server("train", "create", "-f", file, "--no-wait")
    assert (created.code, created.out) == (0, f"training wine submitted as workflow wine-1 at {server.url}\n")
    assert f"odahu-argo train logs --id wine --url {server.url}" in created.err
    again = server("train", "create", "-f", file, "--no-wait")
    assert again.out == f"training wine is already running as workflow wine-1 at {server.url}\n"
    late = server("train", "create", "-f", file, "--timeout", "1")
    assert (
        late.code == 5 and "is still running after 1 s" in late.err and "train delete stops and deletes it" in late.err
    )
    site.play("wine-1", "succeeded")
    taken = server("train", "create", "-f", file)
    assert taken.code == 2 and "training 'wine' already exists: attempt 1, succeeded" in taken.err
    assert server("train", "create", "-f", file, "--ignore-if-exists").out == "training wine already exists\n"
    with Running("train", "edit", "-f", file, "--url", server.url, "--token-file", site.folder / "token") as waiting:
        waiting.wait_for("training wine is scheduling")
        site.play("wine-2", "train-failed")
        assert waiting.end() == 4
    assert "train  failed" in waiting.text and "error: training 'wine' failed in train" in waiting.text
    assert f"train edit -f FILE --url {server.url} starts a new run" in waiting.text
    assert server("train", "delete", "--id", "wine").out == "training wine deleted\n"
    assert server("train", "delete", "-f", file).code == 2
    assert server("train", "delete", "--id", "wine", "--ignore-not-found").out == "training wine does not exist\n"


def test_server_problems_have_positions_in_the_file(server: ServerCommand, tmp_path: Path) -> None:
    wrong = training(toolchain="mlfow", workDir="../elsewhere")
    file = write(tmp_path, wrong)
    remote, direct = (item("train", "create", "-f", file, "--no-wait") for item in (server, server.site.run))
    line = 1 + file.read_text().splitlines().index("  toolchain: mlfow")
    assert remote.code == direct.code == 2
    assert f"{file}:{line}: spec.toolchain: unknown toolchain 'mlfow'" in remote.err
    errors = [line for line in remote.err.splitlines() if line.startswith("error:")]
    assert errors == [line for line in direct.err.splitlines() if line.startswith("error:")]
    lost = write(tmp_path, training(data=[{"connName": "nowhere", "localPath": "d/"}]))
    missing = server("train", "create", "-f", lost, "--no-wait")
    assert missing.code == 2 and "Secret connection-nowhere does not exist" in missing.err


def test_watch_and_follow_logs(server: ServerCommand) -> None:
    site = server.site
    assert site.create().code == 0
    with Running("train", "--url", server.url, "--token", TOKEN, "get", "--watch") as watching:
        watching.wait_for("wine")
        with Running(
            "train", "logs", "--id", "wine", "--url", server.url, "--token-file", site.folder / "token"
        ) as log:
            log.wait_for("training wine is scheduling: Argo has not processed the workflow yet")
            site.play("wine-1", "succeeded")
            assert log.end() == 0
        watching.wait_for("succeeded")
        assert site.run("train", "delete", "--id", "wine").code == 0
        watching.wait_for("wine was deleted")
    lost = server("train", "logs", "--id", "wine")
    assert lost.code == 2 and "training 'wine' does not exist" in lost.err


def test_follow_survives_server_restart_without_duplicate_lines(site: Site, tmp_path: Path) -> None:
    assert site.create().code == 0
    port = free_port()
    (tmp_path / "token").write_text(TOKEN)
    options = ("--token-file", tmp_path / "token")
    where = ("--url", f"http://127.0.0.1:{port}", *options)
    with kubelet(site.api, site.namespace) as node:
        pod = node.start("wine-1", "train", f"wine-1-{TRAIN_NODE}")
        node.say(pod, "epoch 1", "epoch 2")
        site.play("wine-1", "running-train")
        with serving("-n", site.namespace, "--port", port, *options):
            one = odahu_argo("train", "logs", "--id", "wine", "--step", "train", "--not-follow", *where)
            assert (one.code, one.out) == (0, "epoch 1\nepoch 2\n")
            following = Running("train", "logs", "--id", "wine", *where)
            following.__enter__()
            following.wait_for("train | epoch 2")
        try:
            following.wait_for("disconnected: ")
            node.say(pod, "epoch 3")
            with serving("-n", site.namespace, "--port", port, *options):
                following.wait_for("train | epoch 3")
                following.wait_for("reconnected")
                node.say(pod, "epoch 4")
                following.wait_for("train | epoch 4")
                node.end(pod)
                site.play("wine-1", "succeeded")
                assert following.end() == 0
        finally:
            following.__exit__()
    lines = [line for line in following.text.splitlines() if line.startswith("train | ")]
    assert lines == [f"train | epoch {number}" for number in (1, 2, 3, 4)]


def test_connections_and_toolchains(server: ServerCommand, tmp_path: Path) -> None:
    file = manifests(tmp_path, wine=S3, code_b=GIT)
    assert server("conn", "create", "-f", file).out == "connection wine created\nconnection code-b created\n"
    taken = server("conn", "create", "-f", file)
    assert taken.code == 2 and taken.err.count("already exists at") == 2
    assert server("conn", "apply", "-f", file).out == "connection wine unchanged\nconnection code-b unchanged\n"
    other = manifests(tmp_path, wine={**S3, "keySecret": "CANARYother"})
    edited = server("conn", "edit", "-f", other, "-o", "json")
    assert edited.code == 0 and "connection wine updated" in edited.err and "CANARY" not in edited.out + edited.err
    assert json.loads(edited.out)[0]["spec"]["keySecret"] == "*****"
    denied = server("conn", "get", "--id", "wine", "--decrypted")
    assert denied.code == 2 and "right to decrypt" in denied.err
    permitted = odahu_argo(
        "conn", "get", "--id", "wine", "--decrypted", "-o", "json", "--url", server.url, "--token-file",
        tmp_path / "decrypt", env=server.environment,
    )  # fmt: skip
    direct = server.site.run("conn", "get", "--id", "wine", "--decrypted", "-o", "json")
    assert permitted.out == direct.out and "CANARYother" in permitted.out
    assert server("conn", "delete", "--id", "wine").out == "connection wine deleted\n"
    assert server("conn", "edit", "-f", other).code == 2
    toolchain = tmp_path / "toolchain.yaml"
    toolchain.write_text(
        yaml.safe_dump({"kind": "ToolchainIntegration", "id": "mine", "spec": {"entrypoint": "mlflow"}})
    )
    assert server("ti", "create", "-f", toolchain).out == "toolchain mine created\n"
    assert server("ti", "edit", "-f", toolchain).out == "toolchain mine unchanged\n"
    assert server.both("ti", "get", "--id", "mine", "-o", "yaml").code == 0
    assert server("ti", "delete", "-f", toolchain).out == "toolchain mine deleted\n"
    built_in = server("ti", "delete", "--id", "mlflow")
    assert built_in.code == 2 and "is built in" in built_in.err


def test_bulk_apply_and_delete(server: ServerCommand, tmp_path: Path) -> None:
    toolchain = {"kind": "ToolchainIntegration", "id": "mine", "spec": {"entrypoint": "mlflow"}}
    file = write(tmp_path, training(toolchain="mine"), toolchain)
    applied = server("bulk", "apply", file, "-o", "changes")
    assert applied.out.splitlines()[2:] == [
        "ToolchainIntegration mine created",
        "ModelTraining wine created",
    ], applied.err
    assert "warning" not in applied.err
    again = server("bulk", "apply", file, "-o", "json")
    assert [item["outcome"] for item in json.loads(again.out)] == ["unchanged"] * 4
    removed = server("bulk", "delete", file)
    assert removed.code == 0 and "removed resources: 4 (ModelTraining wine, ToolchainIntegration mine, " in removed.out
