"""Permissions, regions, roles, certificates and multipart uploads of S3."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.base import StoredObject
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.s3 import CA_VARIABLES
from odahu_argo.storage.transfer import Copy, download_all
from tests.servers.handlers import serving_by
from tests.servers.s3 import Bucket, client, https_s3, running_s3
from tests.unit.storage.conftest import send

pytestmark = pytest.mark.usefixtures("step_runner")
LARGE, CONTENT = "large ü#%~.bin", os.urandom(40_000_000)


@dataclass(frozen=True)
class GuardedServer:
    """A server that checks keys, and a user who may only read one bucket."""

    endpoint: str
    key_id: str
    secret: str

    def fields(self, **more: str) -> dict[str, str]:
        own = {"type": "s3", "uri": "s3://readable/a.csv", "region": "us-east-1", "endpoint": self.endpoint}
        return {**own, "keyID": self.key_id, "keySecret": self.secret, **more}


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedServer]:
    with running_s3(INITIAL_NO_AUTH_ACTION_COUNT="6") as endpoint:
        s3, iam = client("s3", endpoint), client("iam", endpoint)
        s3.create_bucket(Bucket="readable", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="readable", Key="a.csv", Body=b"content")
        s3.put_object(Bucket="readable", Key=LARGE, Body=CONTENT)
        iam.create_user(UserName="ada")
        allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName="ada", PolicyName="read", PolicyDocument=policy)
        key = iam.create_access_key(UserName="ada")["AccessKey"]
        yield GuardedServer(endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def fetch(fields: dict[str, str], target: Path) -> bytes:
    store, key = open_store(fields)
    source = store.stat(key) or StoredObject(key, 1, 0.0)
    download_all(store, [Copy(source, target)], lambda moved: None, owner="test")
    return target.read_bytes()


@pytest.mark.parametrize(("key", "content"), [("a.csv", b"content"), (LARGE, CONTENT)], ids=["small", "large"])
def test_accepted_keys(guarded: GuardedServer, tmp_path: Path, key: str, content: bytes) -> None:
    assert fetch(guarded.fields(uri=f"s3://readable/{key}"), tmp_path / "a") == content


def test_keys_from_the_environment(guarded: GuardedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guarded.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guarded.secret)
    assert fetch(guarded.fields(keyID="", keySecret=""), tmp_path / "a") == b"content"


def test_missing_credentials(guarded: GuardedServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no credentials"):
        fetch(guarded.fields(keyID="", keySecret=""), tmp_path / "a")


def test_unknown_key(guarded: GuardedServer) -> None:
    store, _ = open_store(guarded.fields(keyID="AKIANOTTHERE00000000"))
    with pytest.raises(UserError, match="the access key is unknown"):
        list(store.list(""))


def test_wrong_secret_is_reported_without_showing_it(guarded: GuardedServer) -> None:
    store, _ = open_store(guarded.fields(keySecret="not-the-secret"))
    with pytest.raises(UserError, match="the secret key does not belong to the access key") as raised:
        list(store.list(""))
    assert "not-the-secret" not in f"{raised.value} {store!r}"


def test_missing_permission(guarded: GuardedServer) -> None:
    store, _ = open_store(guarded.fields())
    with pytest.raises(UserError, match=r"cannot upload s3://readable/a\.csv: access is denied"):
        send(store, b"new", "a.csv")


def test_role_is_assumed(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put_all({"a.csv": b"content"})
    fields = bucket.fields("a.csv", role="arn:aws:iam::123456789012:role/reader")
    assert fetch(fields, tmp_path / "a") == b"content"


def test_role_that_cannot_be_assumed(bucket: Bucket, tmp_path: Path) -> None:
    fields = bucket.fields("a.csv", role="arn:aws:iam::123456789012:role/reader", endpoint="http://127.0.0.1:9")
    store, _ = open_store(fields)
    with pytest.raises(ServiceFault, match="connection to .* failed"):  # noqa: RUF043
        store.stat("a.csv")


@pytest.mark.parametrize("has_key", [True, False], ids=["key", "identity"])
def test_endpoint_from_the_aws_settings(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    bucket.put_all({"a.csv": b"content"})
    fields = bucket.fields("a.csv", endpoint="")
    if not has_key:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", fields.pop("keyID"))
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", fields.pop("keySecret"))
        monkeypatch.setenv("AWS_DEFAULT_REGION", fields.pop("region"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    assert fetch(fields, tmp_path / "a") == b"content"


def test_amazon_is_addressed_by_host_name() -> None:
    store, _ = open_store(
        {"type": "s3", "uri": "s3://bucket", "keyID": "k", "keySecret": "s", "region": "eu-central-1"}
    )
    assert store._address() == ("https://bucket.s3.eu-central-1.amazonaws.com", False)  # type: ignore[attr-defined]
    dotted, _ = open_store({"type": "s3", "uri": "s3://b.c", "keyID": "k", "keySecret": "s", "region": "cn-north-1"})
    assert dotted._address() == ("https://s3.cn-north-1.amazonaws.com.cn", True)  # type: ignore[attr-defined]


class _OtherRegion(BaseHTTPRequestHandler):
    """A bucket in eu-west-1, with the answers of Amazon to requests that are signed for another region."""

    report: ClassVar[str]

    def do_GET(self) -> None:
        if "/eu-west-1/s3/aws4_request" in self.headers["Authorization"]:
            self.answer(200, b"content")
        elif self.report == "redirect":
            self.answer(301, b"<Error><Code>PermanentRedirect</Code></Error>")
        else:
            error = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
            self.answer(400, error)

    do_HEAD = do_PUT = do_GET

    def answer(self, status: int, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 27 Jul 2026 08:00:00 GMT")
        self.send_header("ETag", '"1"')
        if self.report == "redirect":
            self.send_header("x-amz-bucket-region", "eu-west-1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("report", ["error", "redirect"])
def test_bucket_in_another_region(report: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_OtherRegion, "report", report, raising=False)
    with serving_by(_OtherRegion) as endpoint:
        fields = {"type": "s3", "uri": "s3://b/a.csv", "endpoint": endpoint, **KEYS}
        assert fetch(fields, tmp_path / "a") == b"content"
        send(open_store(fields)[0], b"content", "a.csv")


def test_failed_upload_leaves_no_parts(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields())

    def chunks() -> Iterator[bytes]:
        yield os.urandom(30_000_000)
        raise ServiceFault("the disk is failing")

    with pytest.raises(ServiceFault, match="the disk is failing"):
        store.upload(chunks(), "model.zip", 40_000_000, owner="test")
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)
    assert bucket.keys() == []


def test_part_size_grows_with_the_upload(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields())
    chunks = iter([content := os.urandom(20_000_000)])
    assert store.upload(chunks, "model.zip", 120_000_000_000, owner="test") == len(content)
    assert bucket.get("model.zip") == content
    parts = bucket.client.head_object(Bucket=bucket.name, Key="model.zip", PartNumber=1)["PartsCount"]
    assert parts == 2


def test_certificate_authority_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in CA_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "server").mkdir()
    with https_s3(tmp_path / "server") as bucket:
        content = {"a b/ü.csv": b"content", "large.bin": os.urandom(40_000_000)}
        bucket.put_all(content)
        with pytest.raises(UserError, match=r"the certificate of https://localhost:\d+ is not trusted") as untrusted:
            fetch(bucket.fields("a b/ü.csv"), tmp_path / "a")
        assert "AWS_CA_BUNDLE" in str(untrusted.value)
        folder = tmp_path / "authorities"
        folder.mkdir()
        (folder / "own.pem").write_bytes(bucket.authority.read_bytes())
        for variable, value in (
            ("AWS_CA_BUNDLE", bucket.authority),
            ("REQUESTS_CA_BUNDLE", folder),
            ("SSL_CERT_FILE", bucket.authority),
        ):
            with monkeypatch.context() as patch:
                patch.setenv(variable, str(value))
                for key in content:
                    assert fetch(bucket.fields(key), tmp_path / "a") == content[key]


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "damaged"])
def test_unusable_certificate_authorities(content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if content:
        (tmp_path / "own.pem").write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "own.pem"))
    with pytest.raises(UserError, match=r"own\.pem cannot be used: .*\n.*AWS_CA_BUNDLE"):
        fetch({"type": "s3", "uri": "s3://b/a", "endpoint": "https://127.0.0.1:9", **KEYS}, tmp_path / "a")


KEYS = {"keyID": "k", "keySecret": "s", "region": "us-east-1"}


class _Dated(BaseHTTPRequestHandler):
    """Records the time of each signature. All objects are zeros."""

    dates: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.dates.append(self.headers["X-Amz-Date"])
        self.send_response(200)
        self.send_header("Content-Length", "2000000")
        self.send_header("Last-Modified", "Mon, 27 Jul 2026 08:00:00 GMT")
        self.end_headers()
        self.wfile.write(bytes(2_000_000))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_each_request_is_signed_with_its_own_time(tmp_path: Path) -> None:
    """S3 refuses signatures older than 15 minutes, and downloads may take longer."""
    with serving_by(_Dated) as endpoint:
        store, _ = open_store({"type": "s3", "uri": "s3://b", "endpoint": endpoint, **KEYS})
        for name in ("a", "b"):
            source = StoredObject(name, 2_000_000, time.time())
            download_all(store, [Copy(source, tmp_path / name)], lambda moved: None, owner="test")
            time.sleep(1.1)
    first, second = _Dated.dates
    assert first < second


def test_invalid_region(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields(region="eu central 1"))
    with pytest.raises(UserError, match=r"the region 'eu central 1' is invalid\n.*check region"):
        send(store, b"content", "a")
