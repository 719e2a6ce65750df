"""Signatures for S3, next to those of botocore."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from odahu_argo.storage.request import Asked
from odahu_argo.storage.s3_key import Keys, signature

PATHS = ["", "/a", "/a b/ü+%&=?#;,~!'()*$@:.csv", "/a//b/", "/.hidden/..a", "/%2F/%"]
PAGES: list[dict[str, str]] = [
    {},
    {"list-type": "2", "prefix": "", "encoding-type": "url", "max-keys": "1000"},
    {"list-type": "2", "prefix": "a b/ü+%&=/~", "continuation-token": "1/+=", "max-keys": "1", "max": "2"},
]
ENDPOINTS = ["https://s3.eu-central-1.amazonaws.com", "http://127.0.0.1:9000/below", "https://S3.example.org:443"]
ENDPOINTS += ["http://name:word@s3.example.org:80", "http://[::1]", "http://[::1]:9000"]
HEADERS = [{}, {"x-amz-checksum-mode": "ENABLED"}, {"Range": "bytes=0-1", "Accept": "*/*"}]


@pytest.mark.parametrize("token", [None, "passing/+="], ids=["key", "token"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_botocore_signs_alike(endpoint: str, token: str | None) -> None:
    for path in PATHS:
        for page in PAGES:
            for headers in HEADERS:
                for method in ("GET", "HEAD"):
                    query = f"?{urlencode(page, quote_via=quote)}" if page else ""
                    asked = Asked(method, f"{endpoint}/bucket{quote(path, safe='/~')}{query}", headers)
                    ours = signature(Keys("id", "s3cret", token), "eu-central-1", asked)
                    assert ours["Authorization"] == of_botocore(asked, ours, token), asked.url


def of_botocore(asked: Asked, ours: dict[str, str], token: str | None) -> str:
    """Its signature of this request at the time of ours, and of the headers that ours is of."""
    moment = datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    signed = {name: value for name, value in asked.headers.items() if name.startswith("x-amz-")}
    request = AWSRequest(asked.method, asked.url, headers=signed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda *_: moment)
        S3SigV4Auth(Credentials("id", "s3cret", token), "s3", "eu-central-1").add_auth(request)
    return str(request.headers["Authorization"])
