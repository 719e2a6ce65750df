"""URIs of connections: valid forms by connection type, and masking of credentials."""

import re
from urllib.parse import urlsplit

URI_FORMS = {
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
    """Return whether the URI is valid for this type of connection. Types without a pattern accept any URI."""
    pattern = _PATTERNS.get(connection_type)
    try:
        urlsplit(uri)
    except ValueError:
        return False
    return pattern is None or re.fullmatch(pattern, uri.strip()) is not None


def is_reference(text: str) -> bool:
    """Return whether the text is valid as a branch, tag or commit. Source: git-check-ref-format."""
    return not text.startswith("-") and re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", text) is None


def without_credentials(text: str) -> str:
    """Mask passwords, tokens and queries (such as SAS tokens and `?token=...`) in the URLs of a text.

    Also mask the keys of Azure connection strings, and credentials before `@` in URLs with a missing or misspelled scheme.
    The user name of an SSH URL is kept: `ssh://git@host/path`.
    """
    text = re.sub(r"(?i)\b(accountkey|sharedaccesssignature|sig|password|token)=[^\s&;'\"]+", r"\1=***", text)
    text = re.sub(r"(\w://)[^/@\s:]*:\S*@", r"\1***@", text)
    text = re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)
    text = re.sub(r"(?<![\w/@.-])[\w.%+-]+:(?!//)[^\s@]+@", "***@", text)
    return re.sub(r"(\w://[^\s?#]*)\?[^\s#'\"]+", r"\1?***", text)
