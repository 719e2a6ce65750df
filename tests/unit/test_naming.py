from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import naming

ids = st.from_regex(naming.ID_PATTERN, fullmatch=True)


def test_short_workflow_name() -> None:
    assert naming.workflow_name("wine") == "wine-1"
    assert naming.workflow_name("wine", attempt=12) == "wine-12"


@given(ids, st.integers(1, 10**6))
def test_workflow_name_is_valid(training_id: str, attempt: int) -> None:
    name = naming.workflow_name(training_id, attempt)
    assert naming.ID_PATTERN.fullmatch(name)
    assert name.endswith(f"-{attempt}")


def test_long_names_remain_different() -> None:
    one, other = "a" * 62 + "b", "a" * 62 + "c"
    assert naming.workflow_name(one) != naming.workflow_name(other)
    assert naming.connection_volume(one) != naming.connection_volume(other)
    assert len(naming.connection_volume(one)) <= 63


def test_repeated_downloads_are_numbered() -> None:
    assert naming.download_steps(["a", "b", "a", "a"]) == ["download-a", "download-b", "download-a-2", "download-a-3"]


def test_number_skips_name_of_other_connection() -> None:
    assert naming.download_steps(["a", "a", "a-2"]) == ["download-a", "download-a-3", "download-a-2"]


@given(st.lists(ids, max_size=12))
def test_download_names_are_unique(connections: list[str]) -> None:
    names = naming.download_steps(connections)
    assert len(set(names)) == len(names) == len(connections)
