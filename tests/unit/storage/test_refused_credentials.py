"""Refused credentials: reported at once, without retries, with exit code 2."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from odahu_argo.contract import EXIT_USER_ERROR, DownloadSpec
from odahu_argo.errors import UserError
from odahu_argo.storage.factory import open_store
from tests.servers.counted import counted
from tests.servers.s3 import lasting_s3
from tests.servers.scripted import Answer, answering
from tests.servers.step_runner import StepRunner
from tests.unit.storage.conftest import send

pytestmark = pytest.mark.usefixtures("step_runner")

MARK = "c2VjcmV0"
"""Within each wrong secret."""


@dataclass(frozen=True)
class Refusal:
    """A connection with a wrong secret, the requests sent so far, and the expected message."""

    fields: dict[str, str]
    requests: list[str] | list[tuple[str, str]]
    words: str


@pytest.fixture(params=["s3", "azure", "gcs"])
def refusal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Refusal]:
    """Each store, with an object `a`. For GCS a fake token server refuses the key, because the server checks no keys."""
    with ExitStack() as block:
        if request.param == "s3":
            box, _ = block.enter_context(lasting_s3(tmp_path / "server"))
            wrong, words = {"keySecret": MARK}, "the secret key does not belong to the access key"
        elif request.param == "azure":
            box = request.getfixturevalue("container")
            wrong, words = {"keySecret": MARK * 10 + "AAAA=="}, "access is denied"
        else:
            box = request.getfixturevalue("gcs_bucket")
            answer = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            tokens = block.enter_context(answering(Answer(400, answer, {"Content-Type": "application/json"})))
            wrong, words = {"keySecret": service_account(tokens.address)}, "Google does not accept the key"
        box.put_all({"a": b"a"})
        endpoint, asked = block.enter_context(counted(box.endpoint))
        fields = {**box.fields("a"), **wrong, "endpoint": endpoint}
        yield Refusal(fields, tokens.requests if request.param == "gcs" else asked, words)


def service_account(token_uri: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "ada@p.iam.gserviceaccount.com", "token_uri": token_uri}
    return json.dumps({**account, "private_key_id": MARK, "private_key": pem})


def test_refused_download_sends_no_request_twice(step_runner: StepRunner, refusal: Refusal) -> None:
    step_runner.repository.mkdir()
    step_runner.connect("data", refusal.fields)
    ended = step_runner.run_process(DownloadSpec("data", "in/"))
    assert ended.code == EXIT_USER_ERROR
    assert re.search(rf"(?s){refusal.words}.*hint: check .*keySecret", ended.message), ended.message
    # The answer to the first request, HEAD, has no error code, so S3 and Azure get a second one.
    assert len(set(refusal.requests)) == len(refusal.requests) == (1 if refusal.fields["type"] == "gcs" else 2)
    assert MARK not in ended.log + ended.message
    assert "Traceback" not in ended.log
    assert list(step_runner.repository.iterdir()) == []


@pytest.mark.parametrize("size", [5, 20_000_000], ids=["small", "in-parts"])
def test_refused_upload_sends_one_request(refusal: Refusal, size: int) -> None:
    store, _ = open_store(refusal.fields)
    with pytest.raises(UserError, match=refusal.words) as raised:
        send(store, os.urandom(size), "model.zip")
    # Azure accepts the parts of an upload in any order, so each of the first four may be refused.
    assert 1 <= len(refusal.requests) <= (4 if size > 5 and refusal.fields["type"] == "azureblob" else 1)
    assert MARK not in str(raised.value)
