"""Valid and forged tokens of an OpenID provider, which is an HTTP server with a JWKS."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from odahu_argo.errors import ServiceFault
from odahu_argo.server.auth import Guard
from odahu_argo.server.errors import NotAuthenticated
from odahu_argo.server.oidc import Caller, OidcProvider
from tests.servers.scripted import Answer, Scripted, answering

KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://idp.example.org"


def public(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def signed(key: Any = KEY, algorithm: str = "RS256", kid: object = "one", **claims: object) -> str:
    good = {"iss": ISSUER, "aud": "odahu-argo", "exp": int(time.time()) + 600}
    content = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(content, key, algorithm, {"kid": kid})


def packed(*parts: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.fixture
def provider() -> Iterator[Scripted]:
    symmetric = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"0" * 32).decode()}
    useless = [symmetric, {"kty": "new", "kid": "new"}, "no key", {**public(OTHER, "enc"), "use": "enc"}]
    with answering(Answer(200, {"keys": [*useless, public(KEY, "one")]})) as scripted:
        yield scripted


def check(guard: Guard, authorization: str | None) -> Caller:
    return asyncio.run(guard.check(authorization))


def oidc(provider: Scripted, cooldown: float = 60, **settings: str) -> OidcProvider:
    return OidcProvider(f"{provider.address}/keys", "odahu-argo", ISSUER, cooldown=cooldown, **settings)


def test_fetches_keys_once(provider: Scripted) -> None:
    guard = Guard(oidc=oidc(provider))
    for token in (signed(), signed(aud=["others", "odahu-argo"])):
        assert check(guard, f"Bearer {token}") == Caller(may_decrypt=False)
    assert len(provider.requests) == 1


def forged() -> dict[str, str]:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = jwt.decode(signed(), options={"verify_signature": False})
    claims = json.dumps(content).encode()
    by_public_key = jwt.api_jws.PyJWS()
    by_public_key._algorithms["HS256"].prepare_key = lambda key: key  # type: ignore[method-assign]
    hmac_token = by_public_key.encode(claims, pem, "HS256", {"kid": "one"})
    head, body, _ = signed().split(".")
    return {
        "unsigned": jwt.encode(content, None, "none", {"kid": "one"}),
        "unsigned, with a signature": packed(b'{"alg":"none","kid":"one"}', claims, b"x"),
        "no signature": f"{head}.{body}.",
        "HMAC by the public key": hmac_token,
        "HMAC by a key of the JWKS": jwt.encode(content, b"0" * 32, "HS256", {"kid": "shared"}),
        "another key": signed(OTHER),
        "a key for encryption": signed(OTHER, kid="enc"),
        "another kind of key": signed(CURVE, "ES256"),
        "an unknown key": signed(kid="two"),
        "no key named": jwt.encode(content, KEY, "RS256"),
        "a list for a key": packed(b'{"alg":"RS256","kid":["one"]}', claims, b"x"),
        "expired": signed(exp=int(time.time()) - 1),
        "without an end": signed(exp=None),
        "not yet good": signed(nbf=int(time.time()) + 600),
        "for others": signed(aud="others"),
        "for nobody": signed(aud=None),
        "by others": signed(iss="https://others.example.org"),
        "by nobody": signed(iss=None),
        "an issuer that begins alike": signed(iss=ISSUER + ".evil.example"),
        "other claims": f"{head}.{packed(claims.replace(b'odahu-argo', b'odahu-argi'))}.{signed().split('.')[2]}",
        "deep": packed(b"[" * 30_000, b"{}", b"x"),
        "deep in the head": packed(b'{"alg":"RS256","kid":' + b"[" * 30_000, b"{}", b"x"),
        "a long number": packed(b'{"alg":"RS256","kid":"one","x":' + b"9" * 5000 + b"}", claims, b"x"),
        "text": "abc",
        "dots": "..",
        "nothing": "",
    }


def test_rejects_forged_tokens(provider: Scripted) -> None:
    guard = Guard(oidc=oidc(provider))
    for what, token in forged().items():
        with pytest.raises(NotAuthenticated):
            check(guard, f"Bearer {token}")
            pytest.fail(f"accepted: {what}")


def test_unknown_key_ids_cause_no_further_requests(provider: Scripted) -> None:
    guard = Guard(oidc=oidc(provider))
    for number in range(50):
        with pytest.raises(NotAuthenticated):
            check(guard, f"Bearer {signed(OTHER, kid=f'invented-{number}')}")
    assert len(provider.requests) == 1


def test_finds_new_keys_and_drops_withdrawn_ones() -> None:
    before, after = (Answer(200, {"keys": [public(key, kid)]}) for key, kid in ((KEY, "one"), (OTHER, "two")))
    with answering(before, after) as provider:
        guard = Guard(oidc=oidc(provider, cooldown=0))
        assert check(guard, f"Bearer {signed()}")
        assert check(guard, f"Bearer {signed(OTHER, kid='two')}")
        with pytest.raises(NotAuthenticated):
            check(guard, f"Bearer {signed()}")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {}),
        Answer(200, b"<html>"),
        Answer(200, []),
        Answer(200, b"[" * 30_000),
        Answer(200, {"keys": {}}),
        Answer(200, b"{", length=100),
    ],
    ids=["500", "page", "list", "deep", "no keys", "cut off"],
)
def test_failing_provider_is_service_fault_except_for_known_keys(answer: Answer) -> None:
    with answering(answer) as provider, pytest.raises(ServiceFault, match="cannot be fetched"):
        check(Guard(oidc=oidc(provider)), f"Bearer {signed()}")
    with answering(Answer(200, {"keys": [public(KEY, "one")]}), answer) as provider:
        guard = Guard(oidc=oidc(provider, cooldown=0))
        assert check(guard, f"Bearer {signed()}")
        with pytest.raises((ServiceFault, NotAuthenticated)):
            check(guard, f"Bearer {signed(kid='two')}")
        assert check(guard, f"Bearer {signed()}")


@pytest.mark.parametrize(
    ("claims", "name", "may"),
    [
        ({"realm_access": {"roles": ["user", "odahu_admin"]}}, "realm_access.roles", True),
        ({"https://odahu.example.org/roles": ["odahu_admin"]}, "https://odahu.example.org/roles", True),
        ({"roles": "odahu_admin"}, "roles", True),
        ({"roles": ["odahu_admin_not"]}, "roles", False),
        ({"roles": "user odahu_admin_not"}, "roles", False),
        ({"roles": {"odahu_admin": True}}, "roles", False),
        ({"groups": ["odahu_admin"]}, "roles", False),
        ({"realm_access": ["odahu_admin"]}, "realm_access.roles", False),
        ({}, "realm_access.roles", False),
    ],
)
def test_role_permits_decryption(provider: Scripted, claims: dict[str, Any], name: str, may: bool) -> None:
    guard = Guard(oidc=oidc(provider, decrypt_role="odahu_admin", role_claim=name))
    assert check(guard, f"Bearer {signed(**claims)}").may_decrypt is may
    without = Guard(oidc=oidc(provider, role_claim=name))
    assert check(without, f"Bearer {signed(**claims)}").may_decrypt is False


def test_fixed_tokens() -> None:
    guard = Guard(token="p" * 16, decrypt_token="d" * 16)
    assert check(guard, "bearer " + "p" * 16) == Caller(may_decrypt=False)
    assert check(guard, "Bearer " + "d" * 16) == Caller(may_decrypt=True)
    for header in (None, "", "Bearer", "Bearer ", "Basic " + "p" * 16, "Bearer " + "p" * 15, "Bearer " + "é" * 16):
        with pytest.raises(NotAuthenticated):
            check(guard, header)
    for header in (None, "Bearer anything"):
        with pytest.raises(NotAuthenticated):
            check(Guard(), header)
    assert check(Guard(decrypt_token="d" * 16, trusts_socket=True), None) == Caller(may_decrypt=False)
    assert check(Guard(decrypt_token="d" * 16, trusts_socket=True), "Bearer " + "d" * 16) == Caller(may_decrypt=True)
