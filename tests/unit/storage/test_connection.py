"""URIs of connections."""

from __future__ import annotations

import pytest

from odahu_argo.errors import UserError
from odahu_argo.storage.factory import open_store


@pytest.mark.parametrize(
    ("kind", "uri", "words"),
    [
        ("gcs", "s3://b/a", r"contains no Google Cloud Storage bucket.*gs://bucket/path, or set type to s3 for s3://"),
        ("gcs", "https://storage.googleapis.com/b", "contains no Google Cloud Storage bucket.*write it as gs://"),
        ("gcs", "gs:///a", "contains no Google Cloud Storage bucket"),
        ("s3", "gs://b/a", "contains no S3 bucket.*s3://bucket/path, or set type to gcs for gs://"),
        ("s3", "wasbs://c@account.blob.core.windows.net/x", "contains no S3 bucket.*set type to azureblob"),
        ("s3", "s3://id:s3cret!@b/a", r"'s3://b/a' contains no S3 bucket"),
        ("s3", "s3://id:s3/cret!@b/a", r"'s3://b/a' contains no S3 bucket"),
    ],
)
def test_uri_of_another_type(kind: str, uri: str, words: str) -> None:
    with pytest.raises(UserError, match=f"(?s){words}") as raised:
        open_store({"type": kind, "uri": uri})
    assert "cret!" not in str(raised.value)
