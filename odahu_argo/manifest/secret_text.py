"""What `password`, `keyID`, `keySecret` and `publicKey` mean: ODAHU-flow took plain text before 1.3, base64 since."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class SecretText:
    """The plain value, kept out of `repr`, and whether the manifest held it as base64."""

    plain: str = field(repr=False)
    was_encoded: bool


def read_secret(written: str, encoding: Literal["plain", "base64"] | None = None) -> SecretText:
    """The value as `encoding` says it was written; where that says nothing, by this rule.

    A value that decodes strictly as base64 to printable text was encoded; any other is plain.

    Strictly means the alphabet and padding of RFC 4648; line breaks and spaces, which `base64` and YAML put into long values,
    do not count. Printable text is UTF-8 without control characters other than tab and line break. That tells an AWS key,
    which has only letters of base64's alphabet, from an encoded one: it decodes to bytes that are no text.

    Raises:
        ValueError: it must be base64 and is not, or it is and holds no text.
    """
    if encoding == "plain" or not written:
        return SecretText(written, was_encoded=False)
    decoded = _decoded("".join(written.split()))
    if encoding == "base64" and decoded is None:
        raise ValueError("is not the base64 of any text")
    return SecretText(written, was_encoded=False) if decoded is None else SecretText(decoded, was_encoded=True)


def _decoded(packed: str) -> str | None:
    try:
        text = base64.b64decode(packed, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text and all(character.isprintable() or character in "\t\r\n" for character in text) else None
