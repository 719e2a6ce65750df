"""Reading artifacts in tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path


def read_tar(archive: Path | bytes) -> dict[str, bytes]:
    """Return the content of each file of a compressed tar, by its name without `./`."""
    source = archive if isinstance(archive, bytes) else archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(source), mode="r:gz") as tar:
        files = [(member, tar.extractfile(member)) for member in tar.getmembers() if member.isfile()]
        return {member.name.removeprefix("./"): file.read() for member, file in files if file}
