"""What S3 servers answer when something is wrong, told so that a user can mend it."""

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
from odahu_argo.storage.disk import disk_errors
from odahu_argo.storage.factory import open_store
from odahu_argo.storage.transfer import Copy, download_all, plan_copies
from tests.servers.handlers import serving_by
from tests.servers.s3 import Bucket, client, https_s3, running_s3
from tests.servers.workplace import Workplace
from tests.unit.storage.conftest import send, without_sdk

pytestmark = pytest.mark.usefixtures("workplace")
LARGE, CONTENT = "large ü#%~.bin", os.urandom(40_000_000)


@dataclass(frozen=True)
class Guarded:
    """A server that checks keys, and a user who may only read one bucket."""

    endpoint: str
    key_id: str
    secret: str

    def fields(self, **more: str) -> dict[str, str]:
        own = {"type": "s3", "uri": "s3://readable/a.csv", "region": "us-east-1", "endpoint": self.endpoint}
        return {**own, "keyID": self.key_id, "keySecret": self.secret, **more}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
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
        yield Guarded(endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def fetch(fields: dict[str, str], target: Path) -> bytes:
    store, key = open_store(fields)
    source = store.stat(key) or StoredObject(key, 0, 0.0)
    download_all(store, [Copy(source, target)], lambda moved: None, owner="test")
    return target.read_bytes()


def test_the_right_keys_open_the_bucket(guarded: Guarded, tmp_path: Path) -> None:
    assert fetch(guarded.fields(), tmp_path / "a") == b"content"


def test_a_large_object_is_asked_for_with_a_signature_that_the_server_accepts(guarded: Guarded, tmp_path: Path) -> None:
    store = without_sdk(open_store(guarded.fields())[0])
    download_all(store, plan_copies(store, LARGE, "in/", tmp_path), lambda moved: None, owner="test")
    assert (tmp_path / "in" / LARGE).read_bytes() == CONTENT


def test_without_keys_the_identity_of_the_machine_is_used(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guarded.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guarded.secret)
    assert fetch(guarded.fields(keyID="", keySecret=""), tmp_path / "a") == b"content"


def test_without_keys_and_identity_it_is_the_users_mistake(guarded: Guarded, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no credentials"):
        fetch(guarded.fields(keyID="", keySecret=""), tmp_path / "a")


def test_a_server_that_needs_no_proxy_is_read_without_boto3(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put_all({"a.csv": b"content"})
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    store = without_sdk(open_store(bucket.fields())[0])
    download_all(store, plan_copies(store, "a.csv", "in/", tmp_path), lambda moved: None, owner="test")
    assert (tmp_path / "in/a.csv").read_bytes() == b"content"


def test_an_unknown_key_is_the_users_mistake(guarded: Guarded) -> None:
    store, _ = open_store(guarded.fields(keyID="AKIANOTTHERE00000000"))
    with pytest.raises(UserError, match="the access key is not known"):
        list(store.list(""))


def test_a_wrong_secret_is_the_users_mistake_and_is_not_shown(guarded: Guarded) -> None:
    store, _ = open_store(guarded.fields(keySecret="not-the-secret"))
    with pytest.raises(UserError, match="the secret key does not belong to the access key") as raised:
        list(store.list(""))
    assert "not-the-secret" not in str(raised.value)


def test_a_missing_right_is_the_users_mistake(guarded: Guarded) -> None:
    store, _ = open_store(guarded.fields())
    with pytest.raises(UserError, match=r"cannot upload s3://readable/a\.csv: access is denied"):
        send(store, b"new", "a.csv")


def test_a_missing_bucket_is_the_users_mistake(bucket: Bucket) -> None:
    store, _ = open_store({**bucket.fields(), "uri": "s3://nowhere-at-all"})
    assert store.stat("a") is None
    with pytest.raises(UserError, match="there is no such bucket"):
        list(store.list(""))


def test_a_missing_object_is_the_users_mistake(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such object"):
        fetch(bucket.fields("missing.csv"), tmp_path / "a")


def test_a_role_is_taken_on(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put_all({"a.csv": b"content"})
    fields = bucket.fields("a.csv", role="arn:aws:iam::123456789012:role/reader")
    assert fetch(fields, tmp_path / "a") == b"content"


def test_an_upload_that_fails_leaves_no_parts_to_pay_for(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields())

    def chunks() -> Iterator[bytes]:
        yield os.urandom(30_000_000)
        raise ServiceFault("the disk is failing")

    with pytest.raises(ServiceFault, match="the disk is failing"):
        store.upload(chunks(), "model.zip", 40_000_000, owner="test")
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)
    assert bucket.keys() == []


def test_a_zip_of_any_size_fits_in_the_parts_that_s3_takes(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields())
    send_announced = store.upload(iter([content := os.urandom(20_000_000)]), "model.zip", 120_000_000_000, owner="test")
    assert send_announced == len(content)
    assert bucket.get("model.zip") == content
    parts = bucket.client.head_object(Bucket=bucket.name, Key="model.zip", PartNumber=1)["PartsCount"]
    assert parts == 2


def test_over_https_the_authority_that_the_machine_names_is_trusted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    with https_s3(tmp_path / "server") as bucket:
        content = {"a b/ü.csv": b"content", "large.bin": os.urandom(40_000_000)}
        bucket.put_all(content)
        fields = bucket.fields("a b/ü.csv")
        with pytest.raises(UserError, match="has a certificate that is not trusted") as untrusted:
            fetch(fields, tmp_path / "a")
        assert "AWS_CA_BUNDLE" in str(untrusted.value)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bucket.authority))
        for key in content:
            assert fetch(bucket.fields(key), tmp_path / "a") == content[key]


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "damaged"])
def test_a_file_of_authorities_that_cannot_be_used_is_told(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content:
        (tmp_path / "own.pem").write_text(content)
    (tmp_path / "server").mkdir()
    with https_s3(tmp_path / "server") as bucket:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "own.pem"))
        with pytest.raises(UserError, match=r"own\.pem cannot be used: .*\n.*AWS_CA_BUNDLE"):
            fetch(bucket.fields("a.csv"), tmp_path / "a")


KEYS = {"keyID": "k", "keySecret": "s", "region": "us-east-1"}


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Dated(BaseHTTPRequestHandler):
    """Keeps the time of each signature; all objects are zeros."""

    dates: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.dates.append(self.headers["X-Amz-Date"])
        begin, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end}/2000000")
        self.send_header("Content-Length", str(end + 1 - begin))
        self.end_headers()
        self.wfile.write(bytes(end + 1 - begin))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_each_request_is_signed_with_its_own_time(tmp_path: Path) -> None:
    """S3 refuses a signature that is older than a quarter of an hour, which downloads may take."""
    with serving_by(_Dated) as endpoint:
        store = without_sdk(open_store({"type": "s3", "uri": "s3://b", "endpoint": endpoint, **KEYS})[0])
        for name in ("a", "b"):
            source = StoredObject(name, 2_000_000, time.time())
            download_all(store, [Copy(source, tmp_path / name)], lambda moved: None, owner="test")
            time.sleep(1.1)
    first, second = _Dated.dates
    assert first < second


def test_a_failing_server_is_worth_another_try() -> None:
    with serving_by(_Failing) as endpoint:
        store, _ = open_store({"type": "s3", "uri": "s3://b", "endpoint": endpoint, **KEYS})
        with pytest.raises(ServiceFault, match="the server answered 503"):
            list(store.list(""))


def test_an_upload_with_a_region_that_is_none_is_the_users_mistake(bucket: Bucket) -> None:
    store, _ = open_store(bucket.fields(region="eu central 1"))
    with pytest.raises(UserError, match=r"cannot upload .*eu central 1.*\n.*check uri, region"):
        send(store, b"content", "a")


def test_a_full_disk_is_told_as_such(bucket: Bucket, workplace: Workplace) -> None:
    bucket.put_all({"a.csv": b"content"})
    store, key = open_store(bucket.fields("a.csv"))
    with pytest.raises(ServiceFault, match="the disk is full"), disk_errors(Path("/dev/full")):
        store.download(key, Path("/dev/full"), lambda moved: None)
