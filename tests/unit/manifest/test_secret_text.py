from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.manifest.secrets import decode_secret, secret_bytes

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize("text", ["hunter2", "pässwort", KEY, '{"type": "service_account"}', "a\tb"])
def test_decodes_base64(text: str) -> None:
    secret = decode_secret(base64.b64encode(text.encode()).decode())
    assert (secret.plain, secret.was_encoded) == (text, True)


def test_ignores_line_breaks_in_base64() -> None:
    assert decode_secret(base64.encodebytes(KEY.encode() * 5).decode()).plain == KEY * 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "testing",
        "password",
        "minioadmin",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Y2FuYXJ5LW9mLWNvbm5lY3Rpb24tYg",
        '{"type": "service_account", "private_key": "x"}',
        "?sv=2022-11-02&ss=b&sig=abc%3D",
        KEY,
    ],
)
def test_keeps_plain_value(text: str) -> None:
    secret = decode_secret(text)
    assert (secret.plain, secret.was_encoded) == (text, False)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_decodes_any_printable_text(text: str) -> None:
    assert decode_secret(base64.b64encode(text.encode()).decode()).plain == text


def test_repr_hides_secret() -> None:
    assert "hunter2" not in repr(decode_secret("hunter2"))


@given(st.binary(min_size=1))
def test_explicit_base64_of_any_bytes(data: bytes) -> None:
    assert secret_bytes(decode_secret(base64.b64encode(data).decode(), "base64").plain) == data


def test_explicit_encoding() -> None:
    assert decode_secret("c2VjcmV0", "plain").plain == "c2VjcmV0"
    assert decode_secret("c2VjcmV0", "base64").plain == "secret"
    assert decode_secret("", "base64").plain == ""
    with pytest.raises(ValueError, match="not base64"):
        decode_secret("not base64!", "base64")
