from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from odahu_argo import naming

ids = st.from_regex(naming.ID_PATTERN, fullmatch=True)


def test_a_short_name_stays_as_it_is() -> None:
    assert naming.workflow_name("wine") == "wine-1"
    assert naming.workflow_name("wine", attempt=12) == "wine-12"


@given(ids, st.integers(1, 10**6))
def test_a_workflows_name_is_a_kubernetes_name_of_at_most_63_characters(training_id: str, attempt: int) -> None:
    name = naming.workflow_name(training_id, attempt)
    assert naming.ID_PATTERN.fullmatch(name)
    assert name.endswith(f"-{attempt}")


def test_long_ids_that_differ_at_the_end_give_different_names() -> None:
    one, other = "a" * 62 + "b", "a" * 62 + "c"
    assert naming.workflow_name(one) != naming.workflow_name(other)
    assert naming.connection_volume(one) != naming.connection_volume(other)
    assert len(naming.connection_volume(one)) <= 63


def test_a_second_download_from_a_connection_is_numbered() -> None:
    assert naming.download_steps(["a", "b", "a", "a"]) == ["download-a", "download-b", "download-a-2", "download-a-3"]


def test_a_connection_called_like_a_second_download_keeps_its_name() -> None:
    assert naming.download_steps(["a", "a", "a-2"]) == ["download-a", "download-a-3", "download-a-2"]


@given(st.lists(ids, max_size=12))
def test_no_two_downloads_have_one_name(connections: list[str]) -> None:
    names = naming.download_steps(connections)
    assert len(set(names)) == len(names) == len(connections)
