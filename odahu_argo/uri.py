"""Addresses as they may be shown, and the forms that each type of connection takes."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

FORMS = {
    "s3": "s3://bucket/path",
    "gcs": "gs://bucket/path",
    "azureblob": "https://ACCOUNT.blob.core.windows.net/CONTAINER/path",
    "git": "https://host/path, ssh://git@host/path, git@host:path or file:///path",
}
_PATTERNS = {
    "s3": r"s3://[^/\s]+(/.*)?",
    "gcs": r"gsc?://[^/\s]+(/.*)?",
    "azureblob": r"(https?|abfss?|wasbs?)://[^/\s]+(/.*)?|[a-z0-9$][a-z0-9-]{2,62}(/[^?#@:]*)?",
    "git": r"(https?|ssh|file)://[^\s-].*|/.*|([\w.-]+@)?[A-Za-z0-9][\w.-]*:[^:/-].*|([\w.-]+@)[A-Za-z0-9][\w.-]*:/.*",
}


def is_of_type(uri: str, connection_type: str) -> bool:
    """Whether the URI has a form that this type of connection takes; any has, of a type that names no store or repository."""
    pattern = _PATTERNS.get(connection_type)
    try:
        urlsplit(uri)
    except ValueError:
        return False
    return pattern is None or re.fullmatch(pattern, uri.strip()) is not None


def is_reference(text: str) -> bool:
    """Whether a branch, tag or commit may be called so (git's manual: git-check-ref-format)."""
    return not text.startswith("-") and re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", text) is None


def without_credentials(text: str) -> str:
    """The text with passwords, tokens and queries (a SAS token, `?token=...`) taken out of the URLs in it.

    So are the keys of an Azure connection string, and what stands before `@` where a scheme is missing or misspelt.
    The user of an ssh address stays: `ssh://git@host/path`.
    """
    text = re.sub(r"(?i)\b(accountkey|sharedaccesssignature|sig|password|token)=[^\s&;'\"]+", r"\1=***", text)
    text = re.sub(r"(\w://)[^/@\s:]*:\S*@", r"\1***@", text)
    text = re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)
    text = re.sub(r"(?<![\w/@.-])[\w.%+-]+:(?!//)[^\s@]+@", "***@", text)
    return re.sub(r"(\w://[^\s?#]*)\?[^\s#'\"]+", r"\1?***", text)
