"""Git credentials: accepted by real servers, and absent from process lists, files and messages."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from odahu_argo import build_plans, load, resolve
from odahu_argo.contract import EXIT_USER_ERROR, CheckoutSpec
from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.local.connections import step_connections, write_connection
from odahu_argo.profile import Profile
from odahu_argo.steps.git_credentials import git_credentials, parse_git_uri
from tests.manifests import training, write
from tests.servers.git import PASSWORD, TOKEN, USERNAME, HttpsRemote, Origin, SshRemote
from tests.servers.step_runner import StepRunner

SPEC = CheckoutSpec(connection="code")


@pytest.fixture
def trusting(https_remote: HttpsRemote, monkeypatch: pytest.MonkeyPatch) -> HttpsRemote:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(https_remote.authority))
    return https_remote


def test_https_with_special_characters_in_password(
    step_runner: StepRunner, origin: Origin, trusting: HttpsRemote
) -> None:
    step_runner.connect("code", {"uri": trusting.uri, "username": USERNAME, "password": PASSWORD})
    step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_https_with_token_and_no_username(step_runner: StepRunner, origin: Origin, trusting: HttpsRemote) -> None:
    step_runner.connect("code", {"uri": trusting.uri, "password": TOKEN})
    step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_https_password_is_not_in_process_list_or_files(
    step_runner: StepRunner, trusting: HttpsRemote, private_tmp: Path
) -> None:
    step_runner.connect("code", {"uri": trusting.uri, "username": USERNAME, "password": PASSWORD})
    trusting.process_list.clear()
    step_runner.run(SPEC)
    assert any("git-remote-https" in line for line in trusting.process_list)
    for secret in (PASSWORD, quote(PASSWORD, safe="")):
        assert not [line for line in trusting.process_list if secret in line]
        assert not files_with(secret, step_runner.workspace.root)
    assert not list(private_tmp.iterdir())


def test_ssh_key_is_not_in_process_list_or_files(
    step_runner: StepRunner, ssh_remote: SshRemote, private_tmp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    looking = tmp_path / "bin/ssh"
    looking.write_text(f'#!/bin/sh\nps -wweo args >> {tmp_path}/process-list\nexec {shutil.which("ssh")} "$@"\n')
    looking.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    fields = {"uri": ssh_remote.uri, "keySecret": ssh_remote.private_key, "publicKey": ssh_remote.host_key}
    step_runner.connect("code", fields)
    step_runner.run(SPEC)
    seen = (tmp_path / "process-list").read_text()
    assert str(looking) in seen
    for line in ssh_remote.private_key.splitlines()[1:-1]:
        assert line not in seen
        assert not files_with(line, step_runner.workspace.root)
    assert not list(private_tmp.iterdir())


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files during this test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_finds_abbreviated_commit_over_https(step_runner: StepRunner, origin: Origin, trusting: HttpsRemote) -> None:
    step_runner.connect("code", {"uri": trusting.uri, "username": USERNAME, "password": PASSWORD})
    step_runner.run(CheckoutSpec("code", origin.forgotten[:9]))
    assert step_runner.workspace.read_result("commit-id") == origin.forgotten


def test_password_in_uri_is_not_logged_or_stored(
    step_runner: StepRunner, trusting: HttpsRemote, capfd: pytest.CaptureFixture[str]
) -> None:
    user = f"{quote(USERNAME, safe='')}:{quote(PASSWORD, safe='')}"
    step_runner.connect("code", {"uri": trusting.uri.replace("https://", f"https://{user}@")})
    step_runner.run(SPEC)
    shown = "".join(capfd.readouterr()) + (step_runner.repository / ".git/config").read_text()
    assert PASSWORD not in shown
    assert quote(PASSWORD, safe="") not in shown


@pytest.mark.parametrize("fields", [{"username": USERNAME, "password": "wr0ng-secret"}, {}])
def test_wrong_or_missing_password_is_user_error(
    step_runner: StepRunner, trusting: HttpsRemote, fields: dict[str, str]
) -> None:
    step_runner.connect("code", {"uri": trusting.uri, **fields})
    with pytest.raises(UserError, match="access denied") as raised:
        step_runner.run(SPEC)
    assert "wr0ng-secret" not in str(raised.value)


def test_wrong_password_is_sent_once(step_runner: StepRunner, trusting: HttpsRemote) -> None:
    step_runner.connect("code", {"uri": trusting.uri, "username": USERNAME, "password": "wr0ng-secret"})
    trusting.requests.clear()
    ended = step_runner.run_process(SPEC)
    assert ended.code == EXIT_USER_ERROR
    assert "access denied" in ended.message
    assert "wr0ng-secret" not in ended.log + ended.message
    # Git sends the first request without credentials; the server responds with 401.
    assert [request.rpartition(" ")[2] for request in trusting.requests] == ["without", "with"]


def test_wrong_key_is_sent_once(step_runner: StepRunner, ssh_remote: SshRemote, tmp_path: Path) -> None:
    key = new_key(tmp_path).read_text()
    fields = {"uri": ssh_remote.uri, "keySecret": key, "publicKey": ssh_remote.host_key}
    step_runner.connect("code", fields)
    before = ssh_remote.refusals
    ended = step_runner.run_process(SPEC)
    assert ended.code == EXIT_USER_ERROR
    assert "access denied" in ended.message
    assert ssh_remote.refusals == before + 1


def test_missing_remote_repository_is_user_error(step_runner: StepRunner, trusting: HttpsRemote) -> None:
    uri = trusting.uri.replace("/origin/", "/nothing/")
    step_runner.connect("code", {"uri": uri, "username": USERNAME, "password": PASSWORD})
    with pytest.raises(UserError, match="the repository does not exist"):
        step_runner.run(SPEC)


def test_server_error_is_service_fault(step_runner: StepRunner, trusting: HttpsRemote) -> None:
    step_runner.connect("code", {"uri": trusting.uri.replace("/origin/", "/down/")})
    with pytest.raises(ServiceFault, match="503"):
        step_runner.run(SPEC)


def test_untrusted_certificate_is_user_error(step_runner: StepRunner, https_remote: HttpsRemote) -> None:
    step_runner.connect("code", {"uri": https_remote.uri, "username": USERNAME, "password": PASSWORD})
    with pytest.raises(UserError, match="certificate is not trusted"):
        step_runner.run(SPEC)


def test_credential_files_are_private_and_removed() -> None:
    uri = parse_git_uri("https://host/repository")
    with git_credentials(uri, {"username": "u", "password": "s3cret"}) as credentials:
        helper = next(value for _, value in credentials.settings if value.startswith("store --file="))
        path = Path(helper.removeprefix("store --file="))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert "s3cret" not in repr(credentials.settings) + repr(credentials.environment) + repr(credentials)
    assert not path.parent.exists()


def test_ssh_with_key_and_host_key(step_runner: StepRunner, origin: Origin, ssh_remote: SshRemote) -> None:
    fields = {"uri": ssh_remote.uri, "keySecret": ssh_remote.private_key, "publicKey": ssh_remote.host_key}
    step_runner.connect("code", fields)
    step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") == origin.main


@pytest.mark.parametrize("encode", [str, lambda key: base64.b64encode(key.encode()).decode()], ids=["plain", "base64"])
def test_ssh_key_of_manifest_is_plain_or_base64(
    step_runner: StepRunner, origin: Origin, ssh_remote: SshRemote, tmp_path: Path, encode: Callable[[str], str]
) -> None:
    spec = {"type": "git", "uri": ssh_remote.uri, "publicKey": ssh_remote.host_key}
    code = {"kind": "Connection", "id": "code", "spec": {**spec, "keySecret": encode(ssh_remote.private_key)}}
    [resolved] = resolve(load([write(tmp_path, training(data=[]), connections=yaml.safe_dump(code))]), Profile())
    [plan] = build_plans([resolved], Profile())
    of_step = step_connections(plan, resolved.connections, tmp_path / "artifacts", None)
    workspace = replace(step_runner.workspace, connections=write_connection(of_step["checkout"], tmp_path))
    StepRunner(workspace).run(SPEC)
    assert workspace.read_result("commit-id") == origin.main


def test_host_key_as_known_hosts_line(step_runner: StepRunner, origin: Origin, ssh_remote: SshRemote) -> None:
    place = ssh_remote.uri.partition("@")[2].partition("/")[0]
    line = "[{}]:{} {}".format(*place.split(":"), ssh_remote.host_key)
    step_runner.connect("code", {"uri": ssh_remote.uri, "keySecret": ssh_remote.private_key, "publicKey": line})
    step_runner.run(SPEC)
    assert step_runner.workspace.read_result("commit-id") == origin.main


def test_unknown_host_key_is_accepted_with_warning(
    step_runner: StepRunner, ssh_remote: SshRemote, capfd: pytest.CaptureFixture[str]
) -> None:
    step_runner.connect("code", {"uri": ssh_remote.uri, "keySecret": ssh_remote.private_key.replace("\n", "\r\n")})
    step_runner.run(SPEC)
    assert "warning: the server's host key is unknown" in capfd.readouterr().out


def new_key(folder: Path) -> Path:
    key = folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def test_wrong_host_key_is_user_error(step_runner: StepRunner, ssh_remote: SshRemote, tmp_path: Path) -> None:
    other = new_key(tmp_path).with_suffix(".pub").read_text()
    fields = {"uri": ssh_remote.uri, "keySecret": ssh_remote.private_key, "publicKey": other}
    step_runner.connect("code", fields)
    with pytest.raises(UserError, match="host key does not match"):
        step_runner.run(SPEC)


@pytest.mark.skipif(os.environ.get("SSH_AUTH_SOCK") is not None, reason="an agent could have the key")
def test_rejected_ssh_key_is_user_error(step_runner: StepRunner, ssh_remote: SshRemote, tmp_path: Path) -> None:
    key = new_key(tmp_path).read_text()
    fields = {"uri": ssh_remote.uri, "keySecret": key, "publicKey": ssh_remote.host_key}
    step_runner.connect("code", fields)
    with pytest.raises(UserError, match="access denied") as raised:
        step_runner.run(SPEC)
    assert key.splitlines()[1] not in str(raised.value)


def test_malformed_ssh_key_is_user_error(step_runner: StepRunner, ssh_remote: SshRemote) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----"
    fields = {"uri": ssh_remote.uri, "keySecret": key, "publicKey": ssh_remote.host_key}
    step_runner.connect("code", fields)
    with pytest.raises(UserError, match="the private key cannot be read") as raised:
        step_runner.run(SPEC)
    assert "bm90IGEga2V5" not in str(raised.value)


def test_private_key_as_host_key_is_user_error(step_runner: StepRunner, ssh_remote: SshRemote) -> None:
    step_runner.connect("code", {"uri": ssh_remote.uri, "publicKey": "-----BEGIN OPENSSH PRIVATE KEY-----"})
    with pytest.raises(UserError, match="is not a host key"):
        step_runner.run(SPEC)


def test_parses_scp_like_uri() -> None:
    uri = parse_git_uri("git@github.com:odahu/odahu-examples.git")
    assert (uri.transport, uri.host, uri.username) == ("ssh", "github.com", "git")
