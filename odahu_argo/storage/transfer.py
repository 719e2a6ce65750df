"""Downloads: which objects become which files, and many transfers at once."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.base import ObjectStore, OnBytes, RangeIgnored, StoredObject, TransferStopped
from odahu_argo.storage.disk import atomic_file, disk_errors, make_folder, remove_partial_files
from odahu_argo.storage.errors import RETRY_HINT, StoreUnavailable, invalid_key
from odahu_argo.storage.paths import has_control_characters, has_dots, inside

T = TypeVar("T")

OBJECTS_AT_ONCE = 24
RANGES_AT_ONCE = 8
RANGE = 32 * 1024 * 1024
"""Larger objects are fetched in ranges of this many bytes."""
DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Average seconds before each repetition of a read that failed."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One object and the file it becomes."""

    source: StoredObject
    target: Path


def plan_copies(
    store: ObjectStore, remote_path: str, local_path: str, root: Path, stopped: threading.Event | None = None
) -> list[Copy]:
    """Return what to copy from `remote_path`, relative to the bucket's root, to `local_path`, relative to `root`.

    A single object becomes the file `local_path`, or keeps its name if `local_path` is a folder, which ends in `/`. A
    remote folder (objects whose keys continue with `/`) requires a local folder. If both exist, the object takes
    precedence unless `remote_path` ends in `/`.

    Raises:
        UserError: nothing exists at `remote_path`, a remote folder would become a file, or a key or path is outside of
            `root`.
        ServiceFault: the store cannot be reached.
        TransferStopped: `stopped` was set.
    """
    stopped = stopped or threading.Event()
    key = remote_path.strip("/")
    into_folder = local_path.endswith("/") or local_path in ("", ".")
    searches = [_single_object, _objects_in_folder]
    for search in reversed(searches) if remote_path.endswith("/") else searches:
        named_objects = with_retries(lambda search=search: search(store, key), stopped)  # type: ignore[misc]
        if not named_objects:
            continue
        if search is _objects_in_folder and not into_folder:
            raise UserError(
                f"localPath {local_path!r} is a file, but {store.url(key)} is a folder",
                hint=f"write localPath as {local_path + '/'!r}",
            )
        return _targets(store, named_objects, local_path, root, into_folder)
    raise UserError(
        f"nothing exists at {store.url(key)}",
        hint="remotePath starts at the bucket's root; it defaults to the path in the connection's uri",
    )


def download_all(
    store: ObjectStore, copies: Sequence[Copy], on_bytes: OnBytes, owner: str, stopped: threading.Event | None = None
) -> None:
    """Download the objects, many at once. Each file is replaced atomically; files of an earlier attempt are kept.

    A file is kept if its size and modification time equal those of the object. `owner` identifies this download among
    concurrent ones into the same folders. Use the same value in a further attempt: it deletes the temporary files that a
    killed one left.

    The first failure cancels the other transfers and is raised. No thread is left running.

    Raises:
        UserError: an object is missing, access is refused, or a file cannot have its name.
        ServiceFault: the store, network or disk failed, or an object changed or arrived damaged.
        TransferStopped: `stopped` was set.
    """
    existing = {file for folder in {copy.target.parent for copy in copies} for file in _list_folder(folder, owner)}
    failed = threading.Event()
    # The pool for ranges is the outer one: it has to outlive the threads that use it.
    with (
        ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="range") as ranges,
        ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="object") as objects,
    ):
        download = _Download(store, on_bytes, owner, stopped or threading.Event(), failed, ranges)
        futures = []
        try:
            for copy in copies:
                if str(copy.target) in existing and _is_complete(copy):
                    on_bytes(copy.source.size)
                else:
                    futures.append(objects.submit(download.copy, copy))
            for future in as_completed(futures):
                future.result()
        except BaseException:
            failed.set()
            objects.shutdown(wait=False, cancel_futures=True)
            raise


class _Cancelled(Exception):
    """Ends a transfer because another one has failed."""


class _Download:
    """Copies objects to files in worker threads until `stopped` or `failed` is set."""

    def __init__(
        self,
        store: ObjectStore,
        on_bytes: OnBytes,
        owner: str,
        stopped: threading.Event,
        failed: threading.Event,
        ranges: ThreadPoolExecutor,
    ) -> None:
        self._store, self._on_bytes, self._owner = store, on_bytes, owner
        self._stopped, self._failed, self._ranges = stopped, failed, ranges
        self._has_ranges = self._has_md5_etags = True

    def copy(self, copy: Copy) -> None:
        """Download one object."""
        source = copy.source
        self._require_running()
        with atomic_file(copy.target, self._owner) as partial:
            if not (source.size > RANGE and self._has_ranges and self._fetch_in_ranges(source, partial)):
                self._fetch_whole(source, partial)
            size = partial.stat().st_size
            if size != source.size:
                raise ServiceFault(
                    f"{self._store.url(source.key)} has {size} bytes instead of {source.size}", hint=RETRY_HINT
                )
            os.utime(partial, (source.modified, source.modified))

    def _fetch_whole(self, source: StoredObject, partial: Path) -> None:
        """Fetch an object by one request and compare its MD5 digest if the ETag is one.

        The ETag of an object encrypted with a customer's key only looks like a digest. So a mismatch means damage only if
        a second download differs from the first.
        """
        digest = with_retries(lambda: self._stream(source, partial), self._stopped, self._failed)
        if not (digest and self._has_md5_etags) or digest == source.md5:
            return
        self._on_bytes(-source.size)
        second = with_retries(lambda: self._stream(source, partial), self._stopped, self._failed)
        if second == digest:
            self._has_md5_etags = False
        elif second != source.md5:
            raise ServiceFault(f"{self._store.url(source.key)} arrived damaged: its MD5 differs", hint=RETRY_HINT)

    def _stream(self, source: StoredObject, partial: Path) -> str:
        """Write the object and return its MD5 digest; empty if there is none to compare, or for a large object."""
        md5 = hashlib.md5(usedforsecurity=False) if source.md5 and source.size <= RANGE else None
        written = 0
        try:
            with partial.open("wb") as writer:
                self._require_running()
                for chunk in self._store.read(source):
                    self._require_running()
                    written += writer.write(chunk)
                    self._on_bytes(len(chunk))
                    if md5:
                        md5.update(chunk)
        except StoreUnavailable:
            self._on_bytes(-written)
            raise
        return md5.hexdigest() if md5 else ""

    def _fetch_in_ranges(self, source: StoredObject, partial: Path) -> bool:
        """Fetch an object by several requests at once; return False if the server does not support ranges."""
        cancelled = threading.Event()
        partial.write_bytes(b"")
        futures = [
            self._ranges.submit(self._fetch_range, source, partial, start, cancelled)
            for start in range(0, source.size, RANGE)
        ]
        wait(futures, return_when=FIRST_EXCEPTION)
        cancelled.set()
        for future in futures:
            future.cancel()
        wait(futures)
        failures = [error for future in futures if not future.cancelled() and (error := future.exception())]
        if not failures:
            return True
        if any(isinstance(error, RangeIgnored) for error in failures):
            self._has_ranges = False
            return False
        raise next((error for error in failures if not isinstance(error, _Cancelled)), failures[0])

    def _fetch_range(self, source: StoredObject, partial: Path, start: int, cancelled: threading.Event) -> None:
        """Write one range to its place in the file. A repetition continues after the bytes that have arrived."""
        end, position = min(start + RANGE, source.size), start

        def fetch() -> None:
            nonlocal position
            self._require_running(cancelled)
            with partial.open("r+b") as writer:
                writer.seek(position)
                for chunk in self._store.read(source, position, end):
                    self._require_running(cancelled)
                    position += writer.write(chunk)
                    self._on_bytes(len(chunk))
            if position != end:
                raise StoreUnavailable(f"{self._store.url(source.key)} arrived incomplete", hint=RETRY_HINT)

        with_retries(fetch, self._stopped, self._failed, cancelled)

    def _require_running(self, cancelled: threading.Event | None = None) -> None:
        if self._stopped.is_set():
            raise TransferStopped
        if self._failed.is_set() or (cancelled and cancelled.is_set()):
            raise _Cancelled


def with_retries(call: Callable[[], T], stopped: threading.Event, *cancelled: threading.Event) -> T:
    """Return the result of `call`, repeated after each of `DELAYS` while the store is unavailable.

    A delay ends early when one of `cancelled` is set; `call` has to check them.

    Raises:
        TransferStopped: `stopped` was set.
    """
    for delay in DELAYS:
        try:
            return call()
        except StoreUnavailable:
            until = time.monotonic() + delay * random.uniform(0.5, 1.5)
            while time.monotonic() < until and not any(event.is_set() for event in cancelled):
                if stopped.wait(0.1):
                    raise TransferStopped from None
    return call()


def _single_object(store: ObjectStore, key: str) -> list[tuple[StoredObject, str]]:
    entry = store.stat(key) if key else None
    return [(entry, key.rpartition("/")[2])] if entry else []


def _objects_in_folder(store: ObjectStore, key: str) -> list[tuple[StoredObject, str]]:
    """Return the objects below the key, each with the rest of its key."""
    prefix = f"{key}/" if key else ""
    return [(entry, entry.key.removeprefix(prefix)) for entry in store.list(key)]


def _targets(
    store: ObjectStore, named_objects: list[tuple[StoredObject, str]], local_path: str, root: Path, into_folder: bool
) -> list[Copy]:
    folder = inside(root, local_path, "localPath")
    below = folder.relative_to(root.resolve())

    @cache
    def resolve(name: str) -> Path:
        return inside(root, str(below / name), "localPath")

    may_contain_links = folder.is_dir()
    copies = []
    for source, name in named_objects:
        if has_dots(name) or "//" in f"/{name}/" or has_control_characters(name):
            raise invalid_key(store.url(source.key))
        parent, _, last = name.rpartition("/")
        target = resolve(parent) / last if into_folder else folder
        copies.append(Copy(source, resolve(name) if may_contain_links and target.is_symlink() else target))
    return copies


def _list_folder(folder: Path, owner: str) -> list[str]:
    """Return the paths in the folder, which is created if necessary and cleaned of temporary files of an earlier attempt."""
    make_folder(folder)
    remove_partial_files(folder, owner)
    with disk_errors(folder):
        return [str(file) for file in folder.iterdir()]


def _is_complete(copy: Copy) -> bool:
    """Return whether the file has the size and time of the object, as a complete download has."""
    try:
        facts = copy.target.lstat()
    except OSError:
        return False
    return facts.st_size == copy.source.size and abs(facts.st_mtime - copy.source.modified) < 0.001
