"""Retries, paging, watches and paths of the Kubernetes client, against a scripted server."""

from __future__ import annotations

import json

import pytest

from odahu_argo.errors import Expired, NotFound, Unreachable
from odahu_argo.kube.cluster import POD
from tests.servers.scripted import Answer, answering, status
from tests.unit.kube.conftest import Connect

POD_HERE = {"metadata": {"name": "here"}}
OK = Answer(200, POD_HERE)
TRUNCATED = Answer(200, POD_HERE, length=1000)


def test_retries_reads_until_the_server_recovers(connected: Connect) -> None:
    with answering(status(503, "ServiceUnavailable"), status(500, "InternalError"), OK) as server:
        assert connected(server).get(POD, "here") == POD_HERE
    assert server.requests == [("GET", "/api/v1/namespaces/ml/pods/here")] * 3


def test_retries_a_truncated_response(connected: Connect) -> None:
    with answering(TRUNCATED, OK) as server:
        assert connected(server).get(POD, "here") == POD_HERE


def test_retries_patches(connected: Connect) -> None:
    with answering(status(503, "ServiceUnavailable"), OK) as server:
        assert connected(server).patch(POD, "here", {}) == POD_HERE
    assert [method for method, _ in server.requests] == ["PATCH", "PATCH"]


def test_stops_after_four_tries(connected: Connect) -> None:
    with (
        answering(status(503, "ServiceUnavailable", "etcd is away")) as server,
        pytest.raises(Unreachable, match="cannot get Pod here in namespace ml: etcd is away"),
    ):
        connected(server).get(POD, "here")
    assert len(server.requests) == 4


@pytest.mark.parametrize("answer", [status(503, "ServiceUnavailable"), TRUNCATED], ids=["503", "truncated"])
def test_sends_a_creation_once(connected: Connect, answer: Answer) -> None:
    with answering(answer) as server, pytest.raises(Unreachable):
        connected(server).create(POD, POD_HERE)
    assert len(server.requests) == 1


def test_retries_a_creation_after_429(connected: Connect) -> None:
    throttled = Answer(429, {"kind": "Status", "reason": "TooManyRequests"}, {"Retry-After": "1"})
    with answering(throttled, Answer(201, POD_HERE)) as server:
        assert connected(server).create(POD, POD_HERE) == POD_HERE
    assert len(server.requests) == 2


def test_fails_at_once_if_retry_after_exceeds_the_limit(connected: Connect) -> None:
    throttled = Answer(429, {"kind": "Status", "message": "too many"}, {"Retry-After": "3600"})
    with answering(throttled) as server, pytest.raises(Unreachable, match="too many"):
        connected(server).get(POD, "here")
    assert len(server.requests) == 1


def test_does_not_follow_redirects(connected: Connect) -> None:
    with answering(OK) as other:
        redirect = Answer(302, b"", {"Location": f"{other.address}/"})
        with answering(redirect) as server, pytest.raises(Unreachable):
            connected(server).create(POD, POD_HERE)
    assert other.requests == []


def test_lists_in_one_response_after_a_page_token_expires(connected: Connect) -> None:
    first = {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "page-2", "resourceVersion": "7"}}
    whole = {"items": [{"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "8"}}
    with answering(Answer(200, first), status(410, "Expired"), Answer(200, whole)) as server:
        listing = connected(server).list(POD, {"a": "b", "c": ""})
    assert [item["metadata"]["name"] for item in listing.items] == ["b"]
    assert listing.resource_version == "8"
    queries = [path.partition("?")[2] for _, path in server.requests]
    selector = "labelSelector=a%3Db%2Cc"
    assert queries == [f"{selector}&limit=250", f"{selector}&limit=250&continue=page-2", selector]


def test_gathers_one_page_at_a_time(connected: Connect) -> None:
    pages = [
        Answer(200, {"items": [{"metadata": {"name": name}}], "metadata": metadata})
        for name, metadata in (("a", {"continue": "next"}), ("b", {"resourceVersion": "7"}))
    ]
    seen: list[tuple[str, int]] = []
    with answering(*pages) as server:
        cluster = connected(server)
        cluster.gather(POD, lambda item: seen.append((item["metadata"]["name"], len(server.requests))))
    assert seen == [("a", 1), ("b", 2)]


def test_watch_yields_events_and_raises_the_error_of_the_stream(connected: Connect) -> None:
    events = [
        {"type": "ADDED", "object": POD_HERE},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
        {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}},
    ]
    stream = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    with answering(Answer(200, stream)) as server:
        watch = connected(server).watch(POD, None, "7")
        assert [next(watch).type for _ in range(2)] == ["added", "bookmark"]
        with pytest.raises(Expired):
            next(watch)
    assert "resourceVersion=7" in server.requests[0][1]
    assert "allowWatchBookmarks=true" in server.requests[0][1]


def test_watch_reports_a_truncated_stream(connected: Connect) -> None:
    line = json.dumps({"type": "ADDED", "object": POD_HERE}).encode() + b"\n"
    truncated = Answer(200, line, length=1000)
    with answering(truncated) as server, pytest.raises(Unreachable, match="cannot watch Pod objects"):
        list(connected(server).watch(POD, None, "7"))
    assert len(server.requests) == 1


def test_pod_log_yields_lines(connected: Connect) -> None:
    with answering(Answer(200, b"one\ntw\xff\n\nlast")) as server:
        assert list(connected(server).pod_log("here", "main", follow=True)) == [
            "one",
            "tw\N{REPLACEMENT CHARACTER}",
            "",
            "last",
        ]
    assert server.requests == [("GET", "/api/v1/namespaces/ml/pods/here/log?container=main&follow=true")]


@pytest.mark.parametrize("name", ["", ".", "..", "a/../../b"])
def test_name_cannot_change_the_path(connected: Connect, name: str) -> None:
    with answering(status(404, "NotFound")) as server, pytest.raises(NotFound):
        connected(server).delete(POD, name)
    assert all(path.startswith("/api/v1/namespaces/ml/pods/a%2F") for _, path in server.requests)
