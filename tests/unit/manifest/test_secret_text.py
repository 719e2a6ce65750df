from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.manifest.secrets import read_secret

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize("text", ["hunter2", "pässwort", KEY, '{"type": "service_account"}', "a\tb"])
def test_a_value_in_base64_is_decoded(text: str) -> None:
    read = read_secret(base64.b64encode(text.encode()).decode())
    assert (read.plain, read.was_encoded) == (text, True)


def test_line_breaks_within_base64_do_not_count() -> None:
    assert read_secret(base64.encodebytes(KEY.encode() * 5).decode()).plain == KEY * 5


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
def test_any_other_value_is_taken_as_it_stands(text: str) -> None:
    read = read_secret(text)
    assert (read.plain, read.was_encoded) == (text, False)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_every_printable_text_survives_its_encoding(text: str) -> None:
    assert read_secret(base64.b64encode(text.encode()).decode()).plain == text


def test_a_secret_does_not_show_when_printed() -> None:
    assert "hunter2" not in repr(read_secret("hunter2"))


def test_the_reading_can_be_forced() -> None:
    assert read_secret("c2VjcmV0", "plain").plain == "c2VjcmV0"
    assert read_secret("c2VjcmV0", "base64").plain == "secret"
    assert read_secret("", "base64").plain == ""
    with pytest.raises(ValueError, match="is not the base64 of any text"):
        read_secret("not base64!", "base64")
