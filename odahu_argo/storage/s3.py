"""S3 and what speaks like it, by boto3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from odahu_argo.errors import UserError
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.s3_errors import s3_errors
from odahu_argo.storage.store import OnBytes, StoredObject

DEFAULT_REGION = "us-east-1"
_CONNECTIONS = 64
_PARTS_AT_ONCE = 4
_PART = 8 * 1024 * 1024
_MOST_PARTS = 10_000
"""S3 takes no more for one object."""
_SMALL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class S3Store:
    """One bucket, seen with one identity."""

    bucket: str
    client: Any = field(repr=False)
    where: str

    @classmethod
    def connect(cls, bucket: str, fields: Mapping[str, str]) -> S3Store:
        """The bucket by a connection's fields.

        `keyID` and `keySecret` are the identity, else the machine's own; `role` is an ARN to assume with it.
        `endpoint` is the URL of another server than Amazon's, which is then addressed by path.
        """
        with s3_errors("prepare the connection to", f"s3://{bucket}"):
            return cls(bucket, _client(fields), fields.get("endpoint") or fields.get("region") or "Amazon S3")

    def url(self, key: str) -> str:
        """The object as an `s3://` address."""
        return f"s3://{self.bucket}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, a page of 1000 at a time."""
        with s3_errors("list", self.url(prefix), self.where):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"].timestamp())

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key; None also when the bucket is missing, which `list` then tells."""
        from botocore.exceptions import ClientError

        with s3_errors("look at", self.url(key), self.where):
            try:
                facts = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status == 404:
                    return None
                if status == 403:
                    self._ask_in_words(key)
                raise
        return StoredObject(key, facts["ContentLength"], facts["LastModified"].timestamp())

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Fetch the object, a small one by a single request, a large one in several parts at once."""
        from botocore.exceptions import ClientError

        with s3_errors("download", self.url(key), self.where), target.open("wb") as writer:
            try:
                if (content := self._small(key)) is not None:
                    writer.write(content)
                    on_bytes(len(content))
                    return
                self.client.download_fileobj(self.bucket, key, writer, Callback=on_bytes, Config=_transfer())
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "404":
                    self._ask_in_words(key)
                raise

    def _small(self, key: str) -> bytes | None:
        """The object where it is small and comes whole; boto3's transfers ask twice for each, and cost twice the time."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        answer = self.client.get_object(Bucket=self.bucket, Key=key)
        with closing(answer["Body"]) as body:
            try:
                content: bytes | None = body.read() if answer["ContentLength"] <= _SMALL else None
            except (HTTPClientError, IncompleteReadError):
                return None
        return content

    def _ask_in_words(self, key: str) -> None:
        """The answer to HEAD has no words. That to a list tells a missing bucket and a wrong key, which it raises."""
        self.client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)

    def upload(self, chunks: Iterator[bytes], key: str, most: int, owner: str) -> int:
        """Send what comes, much of it in several parts at once; parts of an upload that fails are taken back."""
        content = ChunkReader(chunks)
        with s3_errors("upload", self.url(key), self.where):
            self.client.upload_fileobj(content, self.bucket, key, Config=_transfer(max(_PART, most // _MOST_PARTS + 1)))
        return content.tell()


def access_key(fields: Mapping[str, str]) -> tuple[str, str]:
    """`keyID` and `keySecret` of a connection; both empty where it leaves the identity to the machine.

    Raises:
        UserError: one of them is missing.
    """
    key_id, secret = fields.get("keyID", ""), fields.get("keySecret", "")
    if bool(key_id) != bool(secret):
        given, missing = ("keyID", "keySecret") if key_id else ("keySecret", "keyID")
        raise UserError(
            f"the connection has {given} but no {missing}", hint="give both, or none to use the pod's identity"
        )
    return key_id, secret


def _transfer(part: int = _PART) -> Any:
    from boto3.s3.transfer import TransferConfig

    # 20 blocks of 256 KiB wait for the disk at most, so memory stays small with many downloads at once.
    config = TransferConfig(max_concurrency=_PARTS_AT_ONCE, max_io_queue=20, multipart_chunksize=part)
    config.max_in_memory_upload_chunks = _PARTS_AT_ONCE
    return config


def _client(fields: Mapping[str, str]) -> Any:
    import boto3
    from botocore.config import Config

    endpoint = fields.get("endpoint") or None
    key_id, secret = access_key(fields)
    session = boto3.Session(
        aws_access_key_id=key_id or None, aws_secret_access_key=secret or None, region_name=fields.get("region") or None
    )
    region = session.region_name or DEFAULT_REGION
    if role := fields.get("role"):
        session = _assuming(session, role, region, endpoint)
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"max_attempts": 4, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        s3={"addressing_style": "path"} if endpoint else None,
        request_checksum_calculation="when_required" if endpoint else None,
        response_checksum_validation="when_required" if endpoint else None,
    )
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _assuming(session: Any, role: str, region: str, endpoint: str | None) -> Any:
    """A session with the role's credentials, renewed before they expire; other servers than Amazon's answer STS too."""
    import boto3
    import botocore.session
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    def sts_client(service: str, **credentials: Any) -> Any:
        return session.client(
            "sts",
            region_name=region,
            endpoint_url=endpoint,
            **{k: v for k, v in credentials.items() if k.startswith("aws_")},
        )

    source = session.get_credentials()
    if source is None:
        raise UserError(
            f"there are no credentials to assume the role {role} with",
            hint="give keyID and keySecret, or run with a service account that has an identity",
        )
    fetcher = AssumeRoleCredentialFetcher(sts_client, source, role, extra_args={"RoleSessionName": "odahu-argo"})

    class Role(CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = "odahu-argo-role"

        def load(self) -> Any:
            return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    assumed = botocore.session.Session()
    assumed.register_component("credential_provider", CredentialResolver([Role()]))
    return boto3.Session(botocore_session=assumed, region_name=region)
