"""A fake of the metadata and identity endpoints of Google's and Microsoft's clouds."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.handlers import serving_by

_ACCOUNT = {"email": "trainer@project.iam.gserviceaccount.com", "scopes": ["storage"], "aliases": ["default"]}


class Cloud:
    """The fake's address and the requested paths."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.requests: list[str] = []

    def google(self) -> dict[str, str]:
        """Return the environment variables for Google's libraries."""
        return {"GCE_METADATA_HOST": self.place, "GCE_METADATA_IP": self.place}

    def azure(self) -> dict[str, str]:
        """Return the environment variables for Azure's libraries, as in App Service and Container Apps."""
        return {"IDENTITY_ENDPOINT": f"http://{self.place}/msi/token", "IDENTITY_HEADER": "header"}


class _Metadata(BaseHTTPRequestHandler):
    cloud: Cloud

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.cloud.requests.append(path)
        if path.endswith("/service-accounts/default/"):
            self._answer(_ACCOUNT)
        elif path.startswith("/computeMetadata/") and path.endswith("/token"):
            self._answer({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})
        elif path == "/msi/token":
            resource = parse_qs(urlsplit(self.path).query)["resource"][0]
            self._answer({"access_token": _jwt(resource), "expires_on": str(int(time.time()) + 3600)})
        else:
            self._answer({})

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        for name, value in {
            "Metadata-Flavor": "Google",
            "Content-Type": "application/json",
            "Content-Length": len(body),
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def _jwt(audience: str) -> str:
    """Return a token with the claims that azurite checks. It does not check the signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*packed, "c2lnbmF0dXJl"])


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving_by(_Metadata) as url:
        _Metadata.cloud = Cloud(url.removeprefix("http://"))
        yield _Metadata.cloud
