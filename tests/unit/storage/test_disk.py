"""Atomic file writes, and messages about the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from odahu_argo.errors import ServiceFault
from odahu_argo.storage.disk import atomic_file, disk_errors


def test_concurrent_writers_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "data.csv"
    with atomic_file(target, owner="a") as first, first.open("wb") as writer:
        writer.write(b"fir")
        writer.flush()
        with atomic_file(target, owner="b") as second:
            second.write_bytes(b"second")
        assert target.read_bytes() == b"second"
        writer.write(b"st")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_longest_file_name(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    with atomic_file(target, owner="a") as partial:
        partial.write_bytes(b"content")
    assert target.read_bytes() == b"content"


def test_error_without_reason_is_described(tmp_path: Path) -> None:
    expected = r"wine\.csv could not be read or written: the device is gone"
    with pytest.raises(ServiceFault, match=expected), disk_errors(tmp_path / "wine.csv"):
        raise OSError("the device is gone")
