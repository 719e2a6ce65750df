"""The keys and addresses of Google Cloud Storage, and what Google answers to wrong ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import download_all, plan_copies
from tests.servers.gcs import GcsBucket
from tests.servers.handlers import serving_by
from tests.servers.scripted import Answer, answering

pytestmark = pytest.mark.usefixtures("workplace")


class _TokenServer(BaseHTTPRequestHandler):
    """Answers as Google does when a key was deleted; to `/good` it hands out a token."""

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
def test_both_spellings_of_a_uri_open_the_bucket(gcs_bucket: GcsBucket, tmp_path: Path, scheme: str) -> None:
    gcs_bucket.put_all({"data/a#b?.csv": b"content"})
    store, path = open_store(gcs_bucket.fields(uri=f"{scheme}://{gcs_bucket.name}/data/a#b?.csv"))
    store.download(path, tmp_path / "a", lambda moved: None)
    assert (tmp_path / "a").read_bytes() == b"content"


def test_the_key_of_a_service_account_opens_the_bucket(
    gcs_bucket: GcsBucket, private_key: str, token_server: str
) -> None:
    gcs_bucket.put_all({"a": b"a"})
    key = service_account(private_key, f"{token_server}/good")
    store, _ = open_store(gcs_bucket.fields(keySecret=key))
    assert [entry.key for entry in store.list("")] == ["a"]


def test_a_token_that_is_refused_is_renewed(private_key: str, token_server: str) -> None:
    with answering(Answer(401), Answer(200, {"items": []}, {"Content-Type": "application/json"})) as server:
        key = service_account(private_key, f"{token_server}/good")
        store, _ = open_store({"type": "gcs", "uri": "gs://bucket", "endpoint": server.address, "keySecret": key})
        assert list(store.list("")) == []
    assert len(server.asked) == 2


def test_a_deleted_key_is_the_users_mistake(gcs_bucket: GcsBucket, private_key: str, token_server: str) -> None:
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
        ('{"type": "service_account", "private_key": "s3cret!"}', "fields missing or damaged"),
        (service_account("-----BEGIN PRIVATE KEY-----\ns3cret!", "http://x"), "fields missing or damaged"),
    ],
)
def test_a_secret_that_is_no_key_is_told_and_not_shown(secret: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        open_store({"type": "gcs", "uri": "gs://bucket", "keySecret": secret})
    assert "s3cret!" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_without_key_and_identity_it_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UserError, match="there are no credentials"):
        open_store({"type": "gcs", "uri": "gs://bucket"})


@pytest.mark.parametrize(
    ("kind", "uri", "words"),
    [
        ("gcs", "s3://b/a", r"names no Google Cloud Storage bucket.*gs://bucket/path, or set type to s3 for s3://"),
        ("gcs", "https://storage.googleapis.com/b", "names no Google Cloud Storage bucket.*write it as gs://"),
        ("gcs", "gs:///a", "names no Google Cloud Storage bucket"),
        ("s3", "gs://b/a", "names no S3 bucket.*s3://bucket/path, or set type to gcs for gs://"),
        ("s3", "wasbs://c@account.blob.core.windows.net/x", "names no S3 bucket.*set type to azureblob"),
        ("s3", "s3://id:s3cret!@b/a", r"'s3://b/a' names no S3 bucket"),
        ("s3", "s3://id:s3/cret!@b/a", r"'s3://b/a' names no S3 bucket"),
    ],
)
def test_a_uri_of_another_kind_is_told_with_the_right_form(kind: str, uri: str, words: str) -> None:
    with pytest.raises(UserError, match=f"(?s){words}") as raised:
        open_store({"type": kind, "uri": uri})
    assert "cret!" not in str(raised.value)


def test_content_that_is_not_what_was_listed_is_worth_another_try(gcs_bucket: GcsBucket, tmp_path: Path) -> None:
    gcs_bucket.put_all({"a.csv": b"content"})
    store, _ = open_store(gcs_bucket.fields())
    copies = plan_copies(store, "a.csv", "in/", tmp_path)
    gcs_bucket.put_all({"a.csv": b"CONTENT"})
    with pytest.raises(ServiceFault, match=r"a\.csv came with another checksum than was announced"):
        download_all(store, copies, lambda moved: None, owner="test")
    assert not list((tmp_path / "in").iterdir())


def test_what_is_stored_compressed_comes_as_it_is_stored(gcs_bucket: GcsBucket, tmp_path: Path) -> None:
    stored = gzip.compress(b"content")
    blob = gcs_bucket.client.bucket(gcs_bucket.name).blob("a.csv")
    blob.content_encoding = "gzip"
    blob.upload_from_string(stored)
    blob.client.close()
    store, _ = open_store(gcs_bucket.fields())
    download_all(store, plan_copies(store, "a.csv", "./", tmp_path), lambda moved: None, owner="test")
    assert (tmp_path / "a.csv").read_bytes() == stored
