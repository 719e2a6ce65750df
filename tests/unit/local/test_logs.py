from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.local.logs import MAX_LINE_LENGTH, LineSplitter


def lines_of(*chunks: bytes) -> list[str]:
    lines = LineSplitter()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.end()


def test_splits_at_all_line_breaks_across_chunks() -> None:
    assert lines_of(b"one\r", b"\ntwo\n", b"th", b"ree") == ["one", "two", "three"]


def test_progress_bar_yields_first_and_last_state() -> None:
    bar = [f"\r{percent} %".encode() for percent in range(101)]
    assert lines_of(*bar, b"\n", b"done\n") == ["0 %", "100 %", "done"]


def test_decodes_a_character_split_across_chunks() -> None:
    assert lines_of("ü\n".encode()[:1], "ü\n".encode()[1:]) == ["ü"]


def test_removes_terminal_escape_sequences() -> None:
    assert lines_of(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07and\x1b]8;;http://x\x1b\\plain\n") == ["red andplain"]


def test_splits_very_long_lines() -> None:
    pieces = lines_of(*[b"x" * 10_000] * 20)
    assert "".join(pieces) == "x" * 200_000
    assert max(map(len, pieces)) <= MAX_LINE_LENGTH


@given(st.binary(), st.lists(st.integers(1, 8)))
def test_any_bytes_become_printable_text(content: bytes, sizes: list[int]) -> None:
    chunks = []
    for size in sizes:
        chunks.append(content[:size])
        content = content[size:]
    for line in lines_of(*chunks, content):
        assert line.replace("\t", "").isprintable()
