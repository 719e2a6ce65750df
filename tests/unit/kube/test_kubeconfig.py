"""Which cluster is meant, and as whom: what a user hears when the kubeconfig is at fault, and that no secret is in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.errors import Forbidden, OdahuArgoError, Unreachable, UserError
from odahu_argo.kube.client import connect
from odahu_argo.kube.cluster import POD
from tests.servers.programs import free_port

TOKEN = "canary-of-a-token"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def config(server: str = "http://127.0.0.1:1", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "ada", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "one", "user": "ada"}},
            {"name": "there", "context": {"cluster": "one", "user": "ada", "namespace": "ml"}},
        ],
        **changes,
    }


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(content: dict[str, Any] | str, *others: dict[str, Any]) -> Path:
        files = []
        for number, each in enumerate([content, *others]):
            file = tmp_path / f"kubeconfig-{number}"
            file.write_text(each if isinstance(each, str) else yaml.safe_dump(each))
            files.append(str(file))
        monkeypatch.setenv("KUBECONFIG", ":".join(files))
        return Path(files[0])

    return write


def refusal(context: str | None = None) -> OdahuArgoError:
    with pytest.raises(OdahuArgoError) as raised:
        connect(context=context).get(POD, "any")
    assert TOKEN not in str(raised.value)
    return raised.value


def test_the_namespace_is_the_one_given_else_the_contexts_else_default(kubeconfig: Any) -> None:
    kubeconfig(config())
    assert connect().namespace == "default"
    assert connect(context="there").namespace == "ml"
    assert connect("mine", context="there").namespace == "mine"


def test_the_file_in_the_home_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    (tmp_path / "home/.kube/config").write_text(yaml.safe_dump(config("http://127.0.0.1:2")))
    assert connect().server == "http://127.0.0.1:2"


def test_of_several_files_the_first_that_names_something_counts_as_for_kubectl(kubeconfig: Any) -> None:
    first = config("http://127.0.0.1:3", **{"current-context": "there"})
    kubeconfig(first, config("http://127.0.0.1:4"))
    assert (connect().server, connect().namespace) == ("http://127.0.0.1:3", "ml")


def test_without_any_kubeconfig_it_says_where_one_is_looked_for() -> None:
    error = refusal()
    assert isinstance(error, UserError)
    assert "no cluster is known" in str(error)
    assert "KUBECONFIG" in str(error)


def test_a_kubeconfig_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/not/there")
    assert "there is no kubeconfig /not/there" in str(refusal())


def test_an_unknown_context_is_told_with_those_there_are(kubeconfig: Any) -> None:
    kubeconfig(config())
    assert "there is no context prod" in str(refusal("prod"))
    assert "has here, there" in str(refusal("prod"))


def test_no_chosen_context_is_told(kubeconfig: Any) -> None:
    kubeconfig(config(**{"current-context": ""}))
    assert "no context is chosen" in str(refusal())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"users: [{{user: {TOKEN}", "this is no YAML"),
        (f"- {TOKEN}", "is no kubeconfig"),
        (config(clusters=[{"name": "one", "cluster": {}}]), "context here has no cluster with a server"),
        (config(clusters=f"{TOKEN}"), "context here has no cluster with a server"),
        (config(users=[{"name": "ada", "token": TOKEN}]), "context here of"),
        (config(users=[{"name": "ada", "user": {"token": f"{TOKEN}\nX: y"}}]), "no token has"),
        (
            config(
                "https://127.0.0.1:1", users=[{"name": "ada", "user": {"token": TOKEN, "client-key": "/not/there"}}]
            ),
            "its client-key cannot be read: /not/there (No such file or directory)",
        ),
        (
            config("https://127.0.0.1:1", users=[{"name": "ada", "user": {"client-key-data": TOKEN[:-1]}}]),
            "cannot be used",
        ),
    ],
    ids=["no-yaml", "list", "no-server", "clusters-as-text", "user-without-user", "token", "no-key", "bad-key"],
)
def test_a_wrong_kubeconfig_is_told_without_its_secrets(kubeconfig: Any, content: Any, said: str) -> None:
    kubeconfig(content)
    assert said in str(refusal())


def plugin(tmp_path: Path, code: str) -> dict[str, Any]:
    """A user whose credentials a program hands out."""
    program = tmp_path / "login.py"
    program.write_text(code)
    call = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(program)]}
    return config(users=[{"name": "ada", "user": {"exec": {**call, "interactiveMode": "Never"}}}])


def test_a_credential_plugin_that_fails_is_named_with_what_it_said(
    kubeconfig: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kubeconfig(plugin(tmp_path, "raise SystemExit('please log in')"))
    error = refusal()
    assert isinstance(error, Forbidden)
    assert "please log in" in str(error)
    assert sys.executable in str(error)
    assert capfd.readouterr().err == ""


def test_a_credential_plugin_that_is_not_installed_is_named(kubeconfig: Any, tmp_path: Path) -> None:
    content = plugin(tmp_path, "")
    content["users"][0]["user"]["exec"]["command"] = "no-such-login"
    kubeconfig(content)
    assert "credential plug-in no-such-login" in str(refusal())


def test_a_credential_plugin_that_fails_later_is_named_too(kubeconfig: Any, tmp_path: Path) -> None:
    expired = '{"token": "first", "expirationTimestamp": "2001-01-01T00:00:00Z"}'
    answer = f'{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {expired}}}'
    once = tmp_path / "once"
    kubeconfig(
        plugin(
            tmp_path,
            f"import pathlib\nonce = pathlib.Path({str(once)!r})\n"
            f"if once.exists(): raise SystemExit('the session has ended')\nonce.touch()\nprint({answer!r})",
        )
    )
    cluster = connect()
    with pytest.raises(Forbidden, match="the session has ended"):
        cluster.get(POD, "any")


def test_a_server_that_is_not_there_is_named(kubeconfig: Any) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    kubeconfig(config(server))
    error = refusal()
    assert isinstance(error, Unreachable)
    assert f"no answer from {server}: connection refused" in str(error)


def test_a_name_that_nobody_knows_is_told(kubeconfig: Any) -> None:
    kubeconfig(config("https://kubernetes.invalid"))
    assert "no answer from https://kubernetes.invalid: unknown host name" in str(refusal())
