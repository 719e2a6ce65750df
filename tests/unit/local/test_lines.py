from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.local.logs import MAX_LINE_LENGTH, LineSplitter


def lines_of(*chunks: bytes) -> list[str]:
    lines = LineSplitter()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.end()


def test_lines_end_at_each_kind_of_line_break_wherever_the_chunks_end() -> None:
    assert lines_of(b"one\r", b"\ntwo\n", b"th", b"ree") == ["one", "two", "three"]


def test_of_a_progress_bar_the_first_and_the_last_state_come_through() -> None:
    bar = [f"\r{percent} %".encode() for percent in range(101)]
    assert lines_of(*bar, b"\n", b"done\n") == ["0 %", "100 %", "done"]


def test_a_letter_cut_in_two_by_a_chunk_is_whole_again() -> None:
    assert lines_of("ü\n".encode()[:1], "ü\n".encode()[1:]) == ["ü"]


def test_terminal_sequences_are_taken_out() -> None:
    assert lines_of(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07and\x1b]8;;http://x\x1b\\plain\n") == ["red andplain"]


def test_a_line_without_an_end_is_cut_into_pieces() -> None:
    pieces = lines_of(*[b"x" * 10_000] * 20)
    assert "".join(pieces) == "x" * 200_000
    assert max(map(len, pieces)) <= MAX_LINE_LENGTH


@given(st.binary(), st.lists(st.integers(1, 8)))
def test_no_bytes_break_it_and_nothing_but_printable_text_comes_out(content: bytes, sizes: list[int]) -> None:
    chunks = []
    for size in sizes:
        chunks.append(content[:size])
        content = content[size:]
    for line in lines_of(*chunks, content):
        assert line.replace("\t", "").isprintable()
