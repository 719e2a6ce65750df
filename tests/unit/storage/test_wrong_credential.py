"""A wrong credential: each store says so at once, is asked nothing twice, and the step ends with 2."""

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
from tests.servers.workplace import Workplace
from tests.unit.storage.conftest import send

pytestmark = pytest.mark.usefixtures("workplace")

MARK = "c2VjcmV0"
"""Within each wrong secret."""


@dataclass(frozen=True)
class Refusing:
    """A connection with a wrong secret, the requests that it led to, and words of the refusal."""

    fields: dict[str, str]
    asked: list[str] | list[tuple[str, str]]
    words: str


@pytest.fixture(params=["s3", "azure", "gcs"])
def refusing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Refusing]:
    """Each store in turn, with an object `a`; for GCS a fake gives out no token, for the emulator asks for no key."""
    with ExitStack() as block:
        if request.param == "s3":
            box, _ = block.enter_context(lasting_s3(tmp_path / "server"))
            wrong, words = {"keySecret": MARK}, "the secret key does not belong to the access key"
        elif request.param == "azure":
            box = request.getfixturevalue("container")
            wrong, words = {"keySecret": MARK * 10 + "AAAA=="}, "access is denied"
        else:
            box = request.getfixturevalue("gcs_bucket")
            refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            tokens = block.enter_context(answering(Answer(400, refusal, {"Content-Type": "application/json"})))
            wrong, words = {"keySecret": service_account(tokens.address)}, "Google does not accept the key"
        box.put_all({"a": b"a"})
        endpoint, asked = block.enter_context(counted(box.endpoint))
        fields = {**box.fields("a"), **wrong, "endpoint": endpoint}
        yield Refusing(fields, tokens.asked if request.param == "gcs" else asked, words)


def service_account(token_uri: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "ada@p.iam.gserviceaccount.com", "token_uri": token_uri}
    return json.dumps({**account, "private_key_id": MARK, "private_key": pem})


def test_a_refused_download_asks_nothing_twice_and_ends_with_two(workplace: Workplace, refusing: Refusing) -> None:
    workplace.repository.mkdir()
    workplace.connect("data", refusing.fields)
    ended = workplace.run_process(DownloadSpec("data", "in/"))
    assert ended.code == EXIT_USER_ERROR
    assert re.search(rf"(?s){refusing.words}.*hint: check .*keySecret", ended.message), ended.message
    # S3 tells why only to the second question, for the answer to HEAD has no words.
    assert len(set(refusing.asked)) == len(refusing.asked) == (2 if refusing.fields["type"] == "s3" else 1)
    assert MARK not in ended.log + ended.message
    assert "Traceback" not in ended.log
    assert list(workplace.repository.iterdir()) == []


@pytest.mark.parametrize("size", [5, 20_000_000], ids=["small", "in-parts"])
def test_an_upload_is_refused_with_one_request(refusing: Refusing, size: int) -> None:
    store, _ = open_store(refusing.fields)
    with pytest.raises(UserError, match=refusing.words) as raised:
        send(store, os.urandom(size), "model.zip")
    # Azure takes the parts of an upload side by side, so each of the first four may be refused.
    assert 1 <= len(refusing.asked) <= (4 if size > 5 and refusing.fields["type"] == "azureblob" else 1)
    assert MARK not in str(raised.value)
