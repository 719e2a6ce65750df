"""Answers of an API server that is unwell, refuses, or is none: what is tried again, and what the user hears."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from odahu_argo.errors import (
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    OdahuArgoError,
    Rejected,
    Unauthorized,
    Unreachable,
)
from odahu_argo.kube.client import KubeCluster, connect
from odahu_argo.kube.cluster import POD, SECRET, WORKFLOW
from tests.servers.scripted import Answer, answering

POD_HERE = {"metadata": {"name": "here"}}
Connect = Callable[[str], KubeCluster]


@pytest.fixture
def connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect_to(server: str) -> KubeCluster:
        config = {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "namespace": "ml"}}],
            "clusters": [{"name": "test", "cluster": {"server": server}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        return connect()

    return connect_to


def status(code: int, reason: str, message: str = "", **details: Any) -> Answer:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details}
    return Answer(code, {**body, "code": code})


def test_reading_is_tried_again_until_the_server_is_well(connected: Connect) -> None:
    with answering(status(503, "ServiceUnavailable"), status(500, "InternalError"), Answer(200, POD_HERE)) as server:
        assert connected(server.address).get(POD, "here") == POD_HERE
    assert server.asked == [("GET", "/api/v1/namespaces/ml/pods/here")] * 3


def test_an_answer_that_breaks_off_is_asked_for_again(connected: Connect) -> None:
    with answering(Answer(200, POD_HERE, length=1000), Answer(200, POD_HERE)) as server:
        assert connected(server.address).get(POD, "here") == POD_HERE


def test_reading_is_given_up_after_some_tries(connected: Connect) -> None:
    with (
        answering(status(503, "ServiceUnavailable", "etcd is away")) as server,
        pytest.raises(Unreachable, match=r"cannot get Pod here in namespace ml: etcd is away"),
    ):
        connected(server.address).get(POD, "here")
    assert len(server.asked) == 4


def test_a_creation_that_may_have_been_carried_out_is_not_tried_again(connected: Connect) -> None:
    for lost in (status(503, "ServiceUnavailable"), Answer(201, POD_HERE, length=1000)):
        with answering(lost) as server, pytest.raises(Unreachable):
            connected(server.address).create(POD, POD_HERE)
        assert len(server.asked) == 1


def test_a_creation_that_was_put_off_is_tried_again(connected: Connect) -> None:
    put_off = Answer(429, {"kind": "Status", "reason": "TooManyRequests"}, {"Retry-After": "1"})
    with answering(put_off, Answer(201, POD_HERE)) as server:
        assert connected(server.address).create(POD, POD_HERE) == POD_HERE
    assert len(server.asked) == 2


def test_a_server_that_asks_for_more_patience_than_there_is_is_not_asked_again(connected: Connect) -> None:
    put_off = Answer(429, {"kind": "Status", "message": "too many"}, {"Retry-After": "3600"})
    with answering(put_off) as server, pytest.raises(Unreachable, match="too many"):
        connected(server.address).get(POD, "here")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer", [Answer(200, b"<html>log in</html>"), Answer(200, ["a", "list"])], ids=["a login page", "a list"]
)
def test_a_server_that_is_no_kubernetes_is_told(connected: Connect, answer: Answer) -> None:
    with answering(answer) as server, pytest.raises(Unreachable, match="does not answer as Kubernetes does"):
        connected(server.address).get(POD, "here")


def test_no_redirection_takes_the_credentials_elsewhere(connected: Connect) -> None:
    with answering(Answer(200, POD_HERE)) as other:
        moved = Answer(302, b"", {"Location": f"{other.address}/"})
        with answering(moved) as server, pytest.raises(Unreachable):
            connected(server.address).create(POD, POD_HERE)
    assert other.asked == []


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (status(401, "Unauthorized", "Unauthorized"), Unauthorized, "does not accept these credentials"),
        (
            status(403, "Forbidden", 'pods "here" is forbidden: User "ada" cannot get resource "pods"'),
            Forbidden,
            "kubectl auth can-i get pods -n ml",
        ),
        (status(403, "Forbidden", "exceeded quota: gpus"), Forbidden, "exceeded quota: gpus"),
        (status(404, "NotFound", kind="pods", name="here"), NotFound, "there is no Pod here in namespace ml"),
        (status(404, "NotFound", kind="namespaces", name="ml"), NotFound, "there is no namespace ml"),
        (Answer(404, b"404 page not found\n"), NotFound, "the cluster does not know Pod"),
        (status(409, "Conflict", "has been modified"), Conflict, "has been modified"),
        (status(410, "Expired"), Expired, "has changed too much"),
        (status(400, "BadRequest", "container is waiting to start"), Rejected, "container is waiting to start"),
        (status(422, "Invalid", "x" * 5000), Rejected, "xxx…"),
        (Answer(418, b"tea"), Rejected, "answered 418"),
        (Answer(400, ["odd"]), Rejected, "answered 400"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(
    connected: Connect, answer: Answer, error: type[OdahuArgoError], said: str
) -> None:
    with answering(answer) as server, pytest.raises(error) as raised:
        connected(server.address).get(POD, "here")
    assert said in str(raised.value)
    assert len(str(raised.value)) < 1500


def test_a_cluster_without_argo_is_told(connected: Connect) -> None:
    with answering(Answer(404, b"404 page not found\n")) as server, pytest.raises(NotFound) as raised:
        connected(server.address).list(WORKFLOW)
    assert "does not know Workflow (argoproj.io/v1alpha1)" in str(raised.value)
    assert "install Argo Workflows" in str(raised.value)


def test_a_refused_secret_is_not_quoted(connected: Connect) -> None:
    message = 'json: cannot unmarshal: found in byte ...|"canary"|...'
    refusal = status(400, "BadRequest", message, causes=[{"field": "data.keySecret", "message": "canary"}])
    with answering(refusal) as server, pytest.raises(Rejected) as raised:
        connected(server.address).create(SECRET, {"metadata": {"name": "s"}, "data": {"keySecret": "canary"}})
    assert "canary" not in str(raised.value)
    assert "data.keySecret" in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_told(connected: Connect) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with answering(Answer(200, POD_HERE), tls=tls) as server, pytest.raises(Unreachable) as raised:
        connected(server.address).get(POD, "here")
    assert f"the certificate of {server.address} is not trusted" in str(raised.value)
    assert "certificate-authority" in str(raised.value)


def test_pages_that_expire_while_they_are_read_are_fetched_at_once(connected: Connect) -> None:
    first = {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "page-2", "resourceVersion": "7"}}
    whole = {"items": [{"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "8"}}
    with answering(Answer(200, first), status(410, "Expired"), Answer(200, whole)) as server:
        listing = connected(server.address).list(POD, {"a": "b", "c": ""})
    assert [item["metadata"]["name"] for item in listing.items] == ["b"]
    assert listing.resource_version == "8"
    paths = [path.partition("?")[2] for _, path in server.asked]
    asked = "labelSelector=a%3Db%2Cc"
    assert paths == [f"{asked}&limit=250", f"{asked}&limit=250&continue=page-2", asked]


@pytest.mark.parametrize("name", ["", ".", "..", "a/../../b"])
def test_a_name_does_not_lead_elsewhere(connected: Connect, name: str) -> None:
    with answering(status(404, "NotFound")) as server, pytest.raises(NotFound):
        connected(server.address).delete(POD, name)
    assert all(path.startswith("/api/v1/namespaces/ml/pods/a%2F") for _, path in server.asked)
