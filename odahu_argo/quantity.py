"""Parsing of Kubernetes quantities (`500m`, `1Gi`) and of durations (`30m`, `7d`).

The grammar is that of Kubernetes' resource.Quantity
(https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/): `E` is exa, `e3` is ten to the third.
"""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE]\d{1,2})?", re.ASCII)
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{letter + "i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
MAX_LENGTH = 40
"""Characters. Kubernetes limits quantities to 2^63 with nine decimal places."""
_DURATION = re.compile(r"(?P<number>\d{1,9})(?P<unit>[smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def amount(quantity: str) -> Decimal:
    """Return the value of a quantity, in CPUs or bytes.

    Raises:
        ValueError: the text is not a quantity, or is negative.
    """
    match = _QUANTITY.fullmatch(quantity.strip())
    if not match or len(quantity) > MAX_LENGTH:
        byte_unit = re.fullmatch(r"(\d+) ?([kKMGTPE])i?[bB]", quantity.strip())
        example = f"{byte_unit[1]}{byte_unit[2].upper()}i" if byte_unit else "2, 500m or 4Gi"
        raise ValueError(f"{quantity!r} is not a quantity; write for example {example}")
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix[:1] in ("e", "E") and suffix[1:].isdigit():
        return number * Decimal(10) ** int(suffix[1:])
    return number * _FACTORS[suffix]


def whole_number(quantity: str) -> int:
    """Return a number of devices.

    Raises:
        ValueError: the text is not a non-negative whole number.
    """
    try:
        value = amount(quantity)
    except ValueError:
        raise ValueError(f"{quantity!r} is not a non-negative whole number; write for example 1") from None
    if value != value.to_integral_value():
        raise ValueError(f"{quantity!r} is not a whole number; GPUs cannot be divided")
    return int(value)


def seconds(duration: str) -> int:
    """Return a duration such as `90s`, `30m`, `12h` or `7d` in seconds.

    Raises:
        ValueError: the text is not a duration.
    """
    match = _DURATION.fullmatch(duration.strip())
    if not match:
        raise ValueError(f"{duration!r} is not a duration; write for example 90s, 30m, 12h or 7d")
    return int(match["number"]) * _SECONDS[match["unit"]]
