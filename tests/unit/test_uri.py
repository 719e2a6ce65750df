from __future__ import annotations

import pytest

from odahu_argo.uri import without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://user:secret@host/x.git", "https://***@host/x.git"),
        ("https://user:se@cret@host/x.git", "https://***@host/x.git"),
        ("https://user:se/cret@host/x.git", "https://***@host/x.git"),
        ("https://token@host/x.git", "https://***@host/x.git"),
        ("https://host/x.git?token=secret", "https://host/x.git?***"),
        ("https://a.blob.core.windows.net/c/x?sv=1&sig=secret", "https://a.blob.core.windows.net/c/x?***"),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git"),
        ("git@host:x.git", "git@host:x.git"),
        ("s3://bucket/a?b", "s3://bucket/a?***"),
        ("s3:/AKIA:sec/ret@bucket/x", "***@bucket/x"),
        ("AKIA:secret@bucket/x", "***@bucket/x"),
        ("AccountName=a;AccountKey=secret==;EndpointSuffix=x", "AccountName=a;AccountKey=***;EndpointSuffix=x"),
        ("abfss://box@account.dfs.core.windows.net/x", "abfss://box@account.dfs.core.windows.net/x"),
        ("fetching 'https://u:p@h/x' failed", "fetching 'https://***@h/x' failed"),
    ],
)
def test_masks_credentials(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown
