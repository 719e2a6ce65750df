"""Errors for the responses of a Kubernetes API server."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

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
from odahu_argo.kube.cluster import POD, SECRET, WORKFLOW
from tests.servers.scripted import Answer, answering, status
from tests.unit.kube.conftest import Connect


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (status(401, "Unauthorized", "Unauthorized"), Unauthorized, "the API server rejects the credentials"),
        (
            status(403, "Forbidden", 'pods "here" is forbidden: User "someone" cannot get resource "pods"'),
            Forbidden,
            "kubectl auth can-i get pods -n ml",
        ),
        (status(403, "Forbidden", "exceeded quota: gpus"), Forbidden, "exceeded quota: gpus"),
        (status(404, "NotFound", kind="pods", name="here"), NotFound, "Pod here does not exist in namespace ml"),
        (status(404, "NotFound", kind="namespaces", name="ml"), NotFound, "namespace ml does not exist"),
        (Answer(404, b"404 page not found\n"), NotFound, "the cluster does not support Pod"),
        (status(409, "Conflict", "has been modified"), Conflict, "has been modified"),
        (status(410, "Expired"), Expired, "the resource version has expired"),
        (status(400, "BadRequest", "container is waiting to start"), Rejected, "container is waiting to start"),
        (status(422, "Invalid", "x" * 5000), Rejected, "xxx…"),
        (Answer(418, b"tea"), Rejected, "returned 418"),
        (Answer(400, ["list"]), Rejected, "returned 400"),
    ],
)
def test_maps_unsuccessful_responses(
    connected: Connect, answer: Answer, error: type[OdahuArgoError], message: str
) -> None:
    with answering(answer) as server, pytest.raises(error) as raised:
        connected(server).get(POD, "here")
    assert message in str(raised.value)
    assert len(str(raised.value)) < 1500


def test_reports_a_cluster_without_argo(connected: Connect) -> None:
    with answering(Answer(404, b"404 page not found\n")) as server, pytest.raises(NotFound) as raised:
        connected(server).list(WORKFLOW)
    assert "does not support Workflow (argoproj.io/v1alpha1)" in str(raised.value)
    assert "install Argo Workflows" in str(raised.value)


def test_does_not_quote_the_values_of_an_invalid_secret(connected: Connect) -> None:
    message = 'json: cannot unmarshal: found in byte ...|"canary"|...'
    rejection = status(400, "BadRequest", message, causes=[{"field": "data.keySecret", "message": "canary"}])
    with answering(rejection) as server, pytest.raises(Rejected) as raised:
        connected(server).create(SECRET, {"metadata": {"name": "s"}, "data": {"keySecret": "canary"}})
    assert "canary" not in str(raised.value)
    assert "data.keySecret" in str(raised.value)


@pytest.mark.parametrize("body", [b"<html>log in</html>", ["a", "list"]], ids=["html", "list"])
def test_reports_a_server_that_is_not_kubernetes(connected: Connect, body: Any) -> None:
    with answering(Answer(200, body)) as server, pytest.raises(Unreachable, match="does not respond like a Kubernetes"):
        connected(server).get(POD, "here")


def test_reports_an_untrusted_certificate(connected: Connect) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with answering(Answer(200, {}), tls=tls) as server, pytest.raises(Unreachable) as raised:
        connected(server).get(POD, "here")
    assert f"the certificate of {server.address} is not trusted" in str(raised.value)
    assert "certificate-authority" in str(raised.value)
