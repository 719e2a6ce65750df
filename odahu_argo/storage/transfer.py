"""Copying between a store and this machine: which objects, to which files, many at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.storage.arrivals import InThread, side_by_side
from odahu_argo.storage.base import Arriving, ObjectStore, OnBytes, StoredObject, TransferStopped
from odahu_argo.storage.checksums import crc32c_of_file
from odahu_argo.storage.disk import DISK_IS_FULL, disk_errors, make_folder, remove_unfinished, whole_file
from odahu_argo.storage.paths import has_control_characters, has_dots, inside

_WORKERS = 16


@dataclass(frozen=True, slots=True)
class Copy:
    """One object and the file it becomes."""

    source: StoredObject
    target: Path


class _Stopped(Exception):
    """Ends a copy that is under way, because another has failed or the step was told to stop."""


def plan_copies(store: ObjectStore, remote_path: str, local_path: str, root: Path) -> list[Copy]:
    """What to copy from `remote_path`, a path from the bucket's root, to `local_path`, a path inside `root`.

    One object becomes the file `local_path`, or keeps its name where `local_path` is a folder, which ends in `/`. A
    remote folder (objects whose keys continue with `/`) needs a local folder. Where both exist the object wins,
    unless `remote_path` ends in `/`.

    Raises:
        UserError: nothing is there, a remote folder would become a file, or a key or path would leave `root`.
        ServiceFault: the store cannot be reached.
    """
    key = remote_path.strip("/")
    into_folder = local_path.endswith("/") or local_path in ("", ".")
    look_for = (
        [_objects_of_folder, _single_object] if remote_path.endswith("/") else [_single_object, _objects_of_folder]
    )
    for look in look_for:
        found = look(store, key)
        if not found:
            continue
        if look is _objects_of_folder and not into_folder:
            raise UserError(
                f"localPath {local_path!r} points to a file, but {store.url(key)} is a folder",
                hint=f"write localPath as {local_path + '/'!r}",
            )
        return _aim(store, found, local_path, root, into_folder)
    raise UserError(
        f"there is nothing at {store.url(key)}",
        hint="remotePath counts from the bucket's root; left out, the path of the connection's uri is taken",
    )


def download_all(
    store: ObjectStore, copies: Sequence[Copy], on_bytes: OnBytes, owner: str, stopped: threading.Event | None = None
) -> None:
    """Fetch the objects, many at once, each into place as a whole; what an earlier attempt finished stays.

    `owner` tells this download from others that may write into the same folders at the same time, and is the same in
    a further attempt, which removes what a killed one has left unfinished.

    The first failure stops the others and is raised: `UserError` or `ServiceFault`; `TransferStopped` when `stopped` is set.
    """
    there = {file for folder in {copy.target.parent for copy in copies} for file in _files(folder, owner)}
    stop = threading.Event()

    def count(moved: int) -> None:
        if stopped and stopped.is_set():
            raise TransferStopped
        if stop.is_set():
            raise _Stopped
        on_bytes(moved)

    def bringings(pool: Executor) -> Iterator[Generator[Arriving]]:
        for copy in copies:
            if str(copy.target) in there and _already_there(copy):
                count(copy.source.size)
            else:
                yield _bring(store, copy, count, owner, pool)

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="copy") as pool:
        side_by_side(bringings(pool), stop, store.turn)


def _bring(store: ObjectStore, copy: Copy, count: OnBytes, owner: str, pool: Executor) -> Generator[Arriving]:
    """The object into place, by way of one to three arrivals, each of which has ended when the iterator is asked again."""
    source = copy.source
    with whole_file(copy.target, owner) as partial:
        has_come = is_checked = False
        if started := store.start(source, partial, count):
            yield started
            failure = started.future.exception()
            if isinstance(failure, OSError) and failure.errno in DISK_IS_FULL:
                raise failure
            has_come = failure is None
            is_checked = has_come and started.is_checked
            count((source.size if has_come else 0) - started.moved)
        if not has_come:
            in_thread = InThread(pool.submit(store.download, source.key, partial, count))
            yield in_thread
            in_thread.future.result()
        if source.crc32c and not is_checked:
            finishing = InThread(pool.submit(_finish, store, source, partial, is_checked))
            yield finishing
            finishing.future.result()
        else:
            _finish(store, source, partial, is_checked)


def _single_object(store: ObjectStore, key: str) -> list[tuple[StoredObject, str]]:
    found = store.stat(key) if key else None
    return [(found, key.rpartition("/")[2])] if found else []


def _objects_of_folder(store: ObjectStore, key: str) -> list[tuple[StoredObject, str]]:
    """The objects below the key with their names from there on; markers of folders are left out."""
    prefix = f"{key}/" if key else ""
    return [(entry, entry.key.removeprefix(prefix)) for entry in store.list(prefix) if not entry.key.endswith("/")]


def _aim(
    store: ObjectStore, found: list[tuple[StoredObject, str]], local_path: str, root: Path, into_folder: bool
) -> list[Copy]:
    folder = inside(root, local_path, "localPath")
    below = folder.relative_to(root.resolve())

    @cache
    def place(name: str) -> Path:
        return inside(root, str(below / name), "localPath")

    may_hold_links = folder.is_dir()
    copies = []
    for source, name in found:
        if not _is_safe(name):
            raise UserError(
                f"the key {store.url(source.key)!r} cannot become a file name below {local_path or './'!r}",
                hint="rename the object: no `..`, `//` or control characters",
            )
        parent, _, last = name.rpartition("/")
        target = place(parent) / last if into_folder else folder
        copies.append(Copy(source, place(name) if may_hold_links and target.is_symlink() else target))
    return copies


def _is_safe(name: str) -> bool:
    return not (has_dots(name) or "//" in f"/{name}/" or has_control_characters(name))


def _files(folder: Path, owner: str) -> list[str]:
    """What is in the folder, which is made if need be, without what an earlier attempt has left there."""
    make_folder(folder)
    remove_unfinished(folder, owner)
    with disk_errors(folder):
        return [str(file) for file in folder.iterdir()]


def _already_there(copy: Copy) -> bool:
    """Whether size and time are the object's own, which `_finish` has given to the file."""
    try:
        facts = copy.target.lstat()
    except OSError:
        return False
    return facts.st_size == copy.source.size and abs(facts.st_mtime - copy.source.modified) < 0.001


def _finish(store: ObjectStore, source: StoredObject, partial: Path, is_checked: bool) -> None:
    size = partial.stat().st_size
    if size != source.size:
        raise ServiceFault(
            f"{store.url(source.key)} came with {size} bytes, {source.size} were announced",
            hint="the object was changed meanwhile, or the connection broke off",
        )
    if source.crc32c and not is_checked and source.crc32c != crc32c_of_file(partial):
        raise ServiceFault(
            f"{store.url(source.key)} came with another checksum than was announced",
            hint="the object was changed meanwhile, or came damaged",
        )
    os.utime(partial, (source.modified, source.modified))
