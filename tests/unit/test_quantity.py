from __future__ import annotations

from decimal import Decimal

import pytest

from odahu_argo import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("500m", "0.5"), (".5", "0.5"), ("1.5Gi", 1610612736), ("1G", 10**9), ("3e2", 300), ("2E3", 2000)],
)
def test_parses_quantity(text: str, value: str | int) -> None:
    assert quantity.amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "4GB", "-1", "1,5", "1 Gi", "Gi", "0x10", "1e999", "{{x}}", "\uff11"])
def test_rejects_invalid_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity.amount(text)


def test_rejects_fraction_of_gpu() -> None:
    with pytest.raises(ValueError, match="GPUs cannot be divided"):
        quantity.whole_number("500m")


@pytest.mark.parametrize("text", ["1Mi", "1.5Gi", "512Ti", "1000000000", " 4Gi ", "0"])
def test_accepts_sizes_of_machines(text: str) -> None:
    assert quantity.check_bytes(text) == text.strip()


@pytest.mark.parametrize("text", ["1m", "0.5", "4096", "0"])
def test_accepts_cpus_of_machines(text: str) -> None:
    assert quantity.check_cpus(text) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_parses_duration(text: str, seconds: int) -> None:
    assert quantity.seconds(text) == seconds


@pytest.mark.parametrize("text", ["30", "1w", "-3m", "1h30m", ""])
def test_rejects_invalid_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        quantity.seconds(text)


@pytest.mark.parametrize("text", ["-1", "two", "1.5", ""])
def test_rejects_invalid_gpu_count(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        quantity.whole_number(text)
