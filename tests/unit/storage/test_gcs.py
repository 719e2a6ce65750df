"""Keys and URIs of Google Cloud Storage."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from odahu_argo.errors import UserError
from odahu_argo.storage.base import StoredObject
from odahu_argo.storage.factory import open_store
from tests.servers.gcs import GcsBucket
from tests.servers.handlers import serving_by
from tests.servers.scripted import Answer, answering

pytestmark = pytest.mark.usefixtures("step_runner")


class _TokenServer(BaseHTTPRequestHandler):
    """Returns a token for `/good`, else the answer of Google for a deleted key."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        good = self.path == "/good"
        answer = {"access_token": "t", "expires_in": 3600} if good else {"error": "invalid_grant"}
        body = json.dumps(answer).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def token_server() -> Iterator[str]:
    with serving_by(_TokenServer) as url:
        yield url


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(private_key: str, token_uri: str) -> str:
    account = {"type": "service_account", "client_email": "ada@p.iam.gserviceaccount.com", "token_uri": token_uri}
    return json.dumps({**account, "private_key_id": "1", "private_key": private_key})


@pytest.mark.parametrize("scheme", ["gs", "gsc"])
def test_uri_schemes(gcs_bucket: GcsBucket, scheme: str) -> None:
    gcs_bucket.put_all({"data/a#b?.csv": b"content"})
    store, path = open_store(gcs_bucket.fields(uri=f"{scheme}://{gcs_bucket.name}/data/a#b?.csv"))
    entry = store.stat(path)
    assert entry and b"".join(store.read(entry)) == b"content"


def test_service_account_key(gcs_bucket: GcsBucket, private_key: str, token_server: str) -> None:
    gcs_bucket.put_all({"a": b"a"})
    key = service_account(private_key, f"{token_server}/good")
    store, _ = open_store(gcs_bucket.fields(keySecret=key))
    assert [entry.key for entry in store.list("")] == ["a"]


def test_refused_token_is_renewed(private_key: str, token_server: str) -> None:
    with answering(Answer(401), Answer(200, b"<ListBucketResult/>")) as server:
        key = service_account(private_key, f"{token_server}/good")
        store, _ = open_store({"type": "gcs", "uri": "gs://bucket", "endpoint": server.address, "keySecret": key})
        assert list(store.list("")) == []
    assert len(server.requests) == 2


def test_deleted_key(gcs_bucket: GcsBucket, private_key: str, token_server: str) -> None:
    key = service_account(private_key, f"{token_server}/deleted")
    store, _ = open_store(gcs_bucket.fields(keySecret=key))
    with pytest.raises(UserError, match=r"cannot list gs://.*: Google does not accept the key"):
        list(store.list(""))


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("s3cret!", "is not the JSON key"),
        ('{"type": "authorized_user", "refresh_token": "s3cret!"}', "not the key of a service account"),
        ('["s3cret!"]', "not the key of a service account"),
        ('{"type": "service_account", "private_key": "s3cret!"}', "missing or damaged fields"),
        (service_account("-----BEGIN PRIVATE KEY-----\ns3cret!", "http://x"), "missing or damaged fields"),
    ],
)
def test_invalid_key_is_reported_without_showing_it(secret: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        open_store({"type": "gcs", "uri": "gs://bucket", "keySecret": secret})
    assert "s3cret!" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_missing_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UserError, match="there are no credentials"):
        open_store({"type": "gcs", "uri": "gs://bucket"})


def test_compressed_object_arrives_as_it_is_stored() -> None:
    """Google decompresses objects with Content-Encoding: gzip unless the client accepts that encoding."""
    stored = gzip.compress(b"content")
    headers = {"Content-Encoding": "gzip", "Last-Modified": "Mon, 27 Jul 2026 08:00:00 GMT", "ETag": '"1"'}
    with answering(Answer(200, stored, headers)) as server:
        store, _ = open_store({"type": "gcs", "uri": "gs://bucket", "endpoint": server.address})
        assert b"".join(store.read(StoredObject("a.csv", len(stored), 0, "1"))) == stored
    assert dict(server.headers[0])["accept-encoding"] == "gzip"
