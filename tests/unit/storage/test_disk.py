"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from odahu_argo.storage.disk import write_whole


def test_two_downloads_that_write_one_file_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "data.csv"

    def slowly(partial: Path) -> None:
        with partial.open("wb") as writer:
            writer.write(b"fir")
            writer.flush()
            write_whole(target, lambda other: other.write_bytes(b"second") and None, owner="b")
            assert target.read_bytes() == b"second"
            writer.write(b"st")

    write_whole(target, slowly, owner="a")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    write_whole(target, lambda partial: partial.write_bytes(b"content") and None, owner="a")
    assert target.read_bytes() == b"content"
