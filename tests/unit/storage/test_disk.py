"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.storage.disk import whole_file


def test_two_downloads_that_write_one_file_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "data.csv"
    with whole_file(target, owner="a") as first, first.open("wb") as writer:
        writer.write(b"fir")
        writer.flush()
        with whole_file(target, owner="b") as second:
            second.write_bytes(b"second")
        assert target.read_bytes() == b"second"
        writer.write(b"st")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    with whole_file(target, owner="a") as partial:
        partial.write_bytes(b"content")
    assert target.read_bytes() == b"content"
