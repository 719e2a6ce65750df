"""Commands with --url: sources of the token, where it is sent, and unexpected responses of servers."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from odahu_argo.local.home import Home
from odahu_argo.local.store import LocalTraining, TrainingStore
from tests.commands import CommandResult, bash_completions, odahu_argo
from tests.manifests import training, write
from tests.servers.api import serving
from tests.servers.programs import free_port
from tests.servers.scripted import Answer, answering

TOKEN = "0123456789abcdef0123"
LIST = "/api/v1/model/training?size=500&page=0"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config"
    monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(file))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    return file


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of local trainings that requires a token."""
    folder = tmp_path_factory.mktemp("local")
    home = Home(folder / "home")
    times = ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+00:00")
    TrainingStore(home.store_file).save(
        LocalTraining("wine", "wine", "1.0", "mlflow", "succeeded", *times, "d", "file:///models")
    )
    (folder / "token").write_text(TOKEN)
    (folder / "manifests.yaml").write_text("{kind: Connection, id: code, spec: {type: git, uri: /repository}}")
    arguments = ("--local", "--token-file", folder / "token", "-d", folder / "manifests.yaml")
    with serving(*arguments, ODAHU_ARGO_HOME=str(home.root)) as address:
        yield address


def run(*arguments: object, **environment: str) -> CommandResult:
    result = odahu_argo(*arguments, env={**os.environ, **environment})
    assert TOKEN not in result.out + result.err, "the output contains the token"
    return result


def test_token_sources(local: str, tmp_path: Path) -> None:
    ids = ("-o", "jsonpath=[*].id")
    asked = run("train", "get", "--url", local)
    assert asked.code == 2 and "a bearer token is required" in asked.err and "--token-file FILE" in asked.err
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert run("train", "get", "--url", local, "--token-file", tmp_path / "token", *ids).out == "wine\n"
    assert run("train", "--url", local, "--token-file", tmp_path / "token", "get", *ids).out == "wine\n"
    assert run("training", "--url", local, "--token", TOKEN, "get", *ids).out == "wine\n"
    assert run("train", "get", *ids, ODAHU_ARGO_API_URL=local, ODAHU_ARGO_API_TOKEN=TOKEN).out == "wine\n"
    wrong = run("train", "get", "--url", local, ODAHU_ARGO_API_TOKEN="f" * 20)
    assert wrong.code == 2 and "the bearer token is not valid" in wrong.err


def test_saved_url_and_token_are_used_and_masked(local: str, config: Path) -> None:
    assert run("config", "set", "API_URL", local).code == 0
    assert odahu_argo("config", "set", "API_TOKEN", "-", stdin=f"{TOKEN}\n").out.count("'****'") == 1
    assert "'****'" in run("config", "all").out
    assert TOKEN in odahu_argo("config", "get", "API_TOKEN", "--show-secrets").out
    assert config.stat().st_mode & 0o777 == 0o600
    assert run("conn", "get", "-o", "jsonpath=[*].id").out == "code\n"
    assert TOKEN not in run("train", "--help").out
    assert bash_completions("train", "get", "--id", "") == (["wine"], "")
    assert bash_completions("ti", "get", "--id", "mlflow-") == (["mlflow-project"], "")
    at_the_cluster = run("train", "get", "--url", "")
    assert at_the_cluster.code == 2 and "kubeconfig" in at_the_cluster.err
    with answering(Answer(200, [])) as other:
        assert run("train", "get", "--url", other.address).code == 0
        assert other.authorizations == [None], "the token of one server went to another"


def test_login_and_logout(local: str, config: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("f" * 20)
    rejected = run("login", "--url", local, "--token-file", token)
    assert rejected.code == 2 and "not valid" in rejected.err and not config.exists()
    token.write_text(TOKEN)
    assert run("login", "--url", f"{local}/", "--token-file", token).out == "Success! Credentials have been saved.\n"
    assert run("train", "get", "-o", "jsonpath=[*].id").out == "wine\n"
    assert run("logout").out == "All authorization credentials have been removed\n"
    assert TOKEN not in config.read_text()
    assert "kubeconfig" in run("train", "get").err


def test_completion_uses_url_of_the_group(local: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    where = ("--url", local, "--token-file", str(tmp_path / "token"))
    assert bash_completions("train", *where, "get", "--id", "") == (["wine"], "")
    assert bash_completions("conn", "get", *where, "--id", "c") == (["code"], "")
    assert bash_completions("train", "--url", local, "get", "--id", "") == ([], "")


@pytest.mark.parametrize("command", ["stop --id wine", "retry --id wine", "history --id wine"])
def test_commands_without_route_report_it(local: str, command: str) -> None:
    assert run("config", "set", "API_URL", local).code == 0
    for where in ([], ["--url", local]):
        result = run("train", *command.split(), *where)
        assert result.code == 2 and f"does not work with {local}: the API has no route for it" in result.err
        assert "--url ''" in result.err


@pytest.mark.parametrize("command", ["doctor", "setup", "status -", "report --id wine -o x.html", "recorder"])
def test_cluster_commands_reject_url(command: str) -> None:
    result = run(*command.split(), "--url", "https://odahu.example.org")
    assert result.code == 2 and "does not work with https://odahu.example.org" in result.err
    assert "--url" not in run(command.split()[0], "--help").out


def test_rejects_cluster_options_with_url(local: str, tmp_path: Path) -> None:
    for option in ("--namespace", "--context", "--profile"):
        result = run("train", "get", "--url", local, option, "x")
        assert result.code == 2 and f"{option} applies to a cluster" in result.err
    file = write(tmp_path, training())
    dry = run("train", "create", "-f", file, "--dry-run", "--url", local, ODAHU_ARGO_API_TOKEN=TOKEN)
    assert dry.code == 2 and "a dry run is not supported" in dry.err


def test_cannot_change_connections_of_local_server(local: str, tmp_path: Path) -> None:
    file = write(tmp_path)
    result = run("conn", "apply", "-f", file, "--url", local, ODAHU_ARGO_API_TOKEN=TOKEN)
    assert result.code == 2 and "changing connections and toolchains is not supported on this machine" in result.err


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "odahu.example.org", "http://", "https://x:notaport", "https://me:secret-of-mine@x", "http://x?y=1"],
)
def test_rejects_invalid_urls(url: str) -> None:
    for result in (run("train", "get", "--url", url), run("config", "set", "API_URL", url)):
        assert result.code == 2 and "secret-of-mine" not in result.err
        assert "is not the URL of an API server" in result.err or "contains a user name or password" in result.err


def test_invalid_token_is_not_shown(local: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret of\nmine")
    for arguments in (["--token-file", tmp_path / "token"], ["--token-file", tmp_path / "none"]):
        result = run("train", "get", "--url", local, *arguments)
        assert result.code == 2 and "secret" not in result.err
    result = run("train", "get", "--url", local, ODAHU_ARGO_API_TOKEN="sécret-of-mine-ß")
    assert result.code == 2 and "ß" not in result.err


def test_warns_about_unencrypted_token() -> None:
    port = free_port()
    result = run("train", "get", "--url", f"http://name.invalid:{port}", ODAHU_ARGO_API_TOKEN=TOKEN)
    assert result.code == 3 and f"warning: the token is sent to http://name.invalid:{port} unencrypted" in result.err
    assert "unknown host name" in result.err


PAGE = Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
ELSEWHERE = Answer(302, b"", {"Location": "https://idp.example.org/login?state=secret-of-mine"})


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (Answer(400, {"message": "size: too many"}), 2, "error: size: too many"),
        (Answer(401, {"message": "a bearer token is needed"}), 2, "denies access: a bearer token is needed"),
        (Answer(401, b""), 2, "denies access"),
        (Answer(403, {"message": "only for admins"}), 2, "error: only for admins"),
        (Answer(404, {"message": 'entity "wine" is not found'}), 2, 'entity "wine" is not found'),
        (Answer(404, {"message": "Not Found"}), 2, "is not an ODAHU API: status 404"),
        (Answer(404, b"<html>"), 2, "is not an ODAHU API: status 404"),
        (Answer(409, {"message": "changed meanwhile"}), 3, "error: changed meanwhile"),
        (Answer(429, b""), 3, "returned status 429"),
        (Answer(500, {"message": "unexpected KeyError"}), 3, "error: unexpected KeyError"),
        (Answer(502, b"<html>Bad gateway</html>"), 3, "returned status 502"),
        (Answer(503, {"message": "Kubernetes does not answer"}), 3, "error: Kubernetes does not answer"),
        (PAGE, 2, "is not an ODAHU API: it returned text/html instead of JSON"),
        (ELSEWHERE, 2, "redirects to https://idp.example.org/login?***"),
        (Answer(200, b"[", {"Content-Type": "application/json"}), 2, "is not an ODAHU API"),
        (Answer(200, b"[]", length=99), 3, "connection failed"),
    ],
)
def test_error_responses(answer: Answer, code: int, message: str) -> None:
    with answering(answer) as server:
        result = run("train", "get", "--url", server.address, ODAHU_ARGO_API_TOKEN=TOKEN)
    assert (result.code, result.out) == (code, "") and message in result.err, result.err
    assert "Traceback" not in result.err and "secret-of-mine" not in result.err
    assert set(server.authorizations) == {f"Bearer {TOKEN}"}
    is_retried = answer.code == 429 or answer.code >= 500
    assert len(server.requests) == (3 if is_retried else 1)


def test_retries_after_temporary_failure() -> None:
    with answering(Answer(503, b""), Answer(200, [])) as server:
        assert run("train", "get", "--url", f"{server.address}/odahu/", "-o", "json").out == "[]\n"
    assert server.requests == [("GET", f"/odahu{LIST}")] * 2


def test_sends_post_once(tmp_path: Path) -> None:
    missing = Answer(404, {"message": "there is none"})
    with answering(missing, Answer(503, b"")) as server:
        result = run("train", "create", "-f", write(tmp_path, training()), "--url", server.address)
    assert result.code == 3
    assert [method for method, _ in server.requests] == ["GET", "POST"]


def test_connection_refused() -> None:
    result = run("train", "get", "--url", f"http://127.0.0.1:{free_port()}")
    assert result.code == 3 and "connection refused" in result.err


def test_trusts_authority_in_ssl_cert_file(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with answering(Answer(200, []), tls=tls) as server:
        rejected = run("train", "get", "--url", server.address, ODAHU_ARGO_API_TOKEN=TOKEN)
        assert rejected.code == 3 and "is not trusted" in rejected.err and "SSL_CERT_FILE" in rejected.err
        assert server.requests == []
        trusted = run("train", "get", "--url", server.address, "-o", "json", SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert (trusted.code, trusted.out) == (0, "[]\n"), trusted.err
