"""S3 and what speaks like it: read without boto3 where that can be, written, and asked a second time, by boto3."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from odahu_argo.storage.asking import Unanswered
from odahu_argo.storage.base import Arriving, OnBytes, StoredObject
from odahu_argo.storage.chunks import ChunkReader
from odahu_argo.storage.s3_errors import s3_errors
from odahu_argo.storage.s3_key import Keys
from odahu_argo.storage.s3_reading import Place, S3Reading
from odahu_argo.storage.s3_sdk import Boto3, access_key, connect_boto3

_PARTS_AT_ONCE = 4
_PART = 8 * 1024 * 1024
_MOST_PARTS = 10_000
"""S3 takes no more for one object."""


@dataclass(frozen=True, slots=True)
class S3Store:
    """One bucket, seen with one identity. What finds no clear answer is asked by boto3 again.

    `sdk` makes boto3's client when it is first needed, for that takes half a second.
    """

    bucket: str
    reader: S3Reading | None = field(repr=False)
    sdk: Callable[[], Any] = field(repr=False)
    where: str

    @classmethod
    def connect(cls, bucket: str, fields: Mapping[str, str]) -> S3Store:
        """The bucket by a connection's fields.

        `keyID` and `keySecret` are the identity, else the machine's own; `role` is an ARN to assume with it.
        `endpoint` is the URL of another server than Amazon's, which is then addressed by path.
        """
        where = fields.get("endpoint") or fields.get("region") or "Amazon S3"
        with s3_errors("prepare the connection to", f"s3://{bucket}"):
            if known := _place(bucket, fields):
                place, keys = known
                return cls(bucket, S3Reading.of(place, keys), cache(lambda: connect_boto3(fields).client), where)
            boto3 = connect_boto3(fields)
            return cls(bucket, _reader(bucket, boto3), lambda: boto3.client, where)

    def url(self, key: str) -> str:
        """The object as an `s3://` address."""
        return f"s3://{self.bucket}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below the prefix, asked for a page of 1000 at a time."""
        with s3_errors("list", self.url(prefix), self.where):
            with suppress(Unanswered):
                yield from self._quickly().list(prefix)
                return
            for page in self.sdk().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"].timestamp())

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key; None also when the bucket is missing, which `list` then tells."""
        with s3_errors("look at", self.url(key), self.where):
            with suppress(Unanswered):
                return self._quickly().stat(key)
            return self._stat_by_sdk(key)

    def download(self, key: str, target: Path, on_bytes: OnBytes) -> None:
        """Fetch the object by boto3, a small one by a single request, a large one in several parts at once."""
        from botocore.exceptions import ClientError

        with s3_errors("download", self.url(key), self.where), target.open("wb") as writer:
            try:
                self.sdk().download_fileobj(self.bucket, key, writer, Callback=on_bytes, Config=_transfer())
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "404":
                    self._ask_in_words(key)
                raise

    def start(self, source: StoredObject, target: Path, on_bytes: OnBytes) -> Arriving | None:
        """Begin to fetch the object without boto3; where that fails, `download` tells why, or does it."""
        return self.reader.start(source, target, on_bytes) if self.reader else None

    def turn(self, seconds: float) -> bool:
        """Move on what was started, and wait so long at most for more; False where nothing needs that."""
        return self.reader is not None and self.reader.server.multi.turn(seconds)

    def upload(
        self, chunks: Iterator[bytes], key: str, most: int, owner: str, stopped: threading.Event | None = None
    ) -> int:
        """Send what comes, much of it in several parts at once; parts of an upload that fails are taken back."""
        from boto3.s3.transfer import create_transfer_manager

        content = ChunkReader(chunks, stopped)
        part = max(_PART, most // _MOST_PARTS + 1)
        with (
            s3_errors("upload", self.url(key), self.where),
            create_transfer_manager(self.sdk(), _transfer(part)) as manager,
        ):
            sending = manager.upload(content, self.bucket, key)
            content.is_unwanted = sending.done
            sending.result()
        return content.tell()

    def _quickly(self) -> S3Reading:
        if self.reader is None:
            raise Unanswered
        return self.reader

    def _stat_by_sdk(self, key: str) -> StoredObject | None:
        from botocore.exceptions import ClientError

        try:
            facts = self.sdk().head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 404:
                return None
            if status == 403:
                self._ask_in_words(key)
            raise
        return StoredObject(key, facts["ContentLength"], facts["LastModified"].timestamp())

    def _ask_in_words(self, key: str) -> None:
        """The answer to HEAD has no words. That to a list tells a missing bucket and a wrong key, which it raises."""
        self.sdk().list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)


def _place(bucket: str, fields: Mapping[str, str]) -> tuple[Place, Keys] | None:
    """Where and who, if the fields alone tell; else this machine's AWS settings have a say, which boto3 reads."""
    key_id, secret = access_key(fields)
    endpoint, region = fields.get("endpoint", "").rstrip("/"), fields.get("region")
    if not (key_id and region and re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w./-]*)?", endpoint)) or fields.get("role"):
        return None
    return Place(f"{endpoint}/{quote(bucket)}", region), Keys(key_id, secret)


def _reader(bucket: str, boto3: Boto3) -> S3Reading | None:
    return S3Reading.of(boto3.place(bucket), boto3.keys) if boto3.credentials else None


def _transfer(part: int = _PART) -> Any:
    from boto3.s3.transfer import TransferConfig

    # 20 blocks of 256 KiB wait for the disk at most, so memory stays small with many downloads at once.
    # awscrt, which boto3 takes by itself on some machines, would have to know the length of what is uploaded.
    config = TransferConfig(
        max_concurrency=_PARTS_AT_ONCE,
        max_io_queue=20,
        multipart_chunksize=part,
        preferred_transfer_client="classic",
    )
    config.max_in_memory_upload_chunks = _PARTS_AT_ONCE
    return config
