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
MAX_CPUS = 4096
MIN_BYTES, MAX_BYTES = 2**20, 2**49
MAX_DEVICES = 1024
"""Limits on one container and its volume. Values beyond them are missing or wrong units."""
MAX_DAYS = 3650
_MEGABYTES_FROM = 100
"""A number without a unit from which on memory is more likely in MiB than in GiB."""
_LEADING_ZERO = re.compile(r"0+(\d.*)", re.ASCII)
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


def check_cpus(text: str) -> str:
    """Return a number of CPUs without surrounding spaces.

    Raises:
        ValueError: the text is not a quantity, or neither 0 nor from 1m to 4096.
    """
    value = _plain_amount(text)
    if value > MAX_CPUS:
        number, suffix = _split(text)
        likely = f"{number}m" if suffix in ("", "M") else number
        raise ValueError(f"{text} is more than {MAX_CPUS} CPUs; did you mean {likely}?")
    if 0 < value < _FACTORS["m"]:
        raise ValueError(f"{text} is less than 1m, the smallest number of CPUs in Kubernetes")
    return text.strip()


def check_bytes(text: str, small_unit: str = "Mi") -> str:
    """Return a size without surrounding spaces. `small_unit` is the suggested unit for a number from 100 that has none.

    Raises:
        ValueError: the text is not a quantity, or neither 0 nor from 1Mi to 512Ti.
    """
    value = _plain_amount(text)
    number, suffix = _split(text)
    if 0 < value < MIN_BYTES and not suffix:
        unit = "Gi" if value < _MEGABYTES_FROM else small_unit
        raise ValueError(f"{text} is a number of bytes; did you mean {number}{unit}?")
    if 0 < value < MIN_BYTES:
        raise ValueError(f"{text} is less than 1Mi; did you mean {number}Mi?")
    if value > MAX_BYTES:
        raise ValueError(f"{text} is more than {MAX_BYTES // 2**40}Ti; did you mean {number}Gi?")
    return text.strip()


def whole_number(text: str) -> int:
    """Return a number of devices.

    Raises:
        ValueError: the text is not a whole number from 0 to 1024.
    """
    try:
        value = amount(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a non-negative whole number; write for example 1") from None
    if value != value.to_integral_value():
        raise ValueError(f"{text!r} is not a whole number; GPUs cannot be divided")
    if value > MAX_DEVICES:
        raise ValueError(f"{text} is more than {MAX_DEVICES} GPUs; write the number of GPUs of one node, such as 1")
    return int(_plain_amount(text))


def _plain_amount(text: str) -> Decimal:
    """Return the value of a quantity that does not start with a superfluous zero."""
    value = amount(text)
    if match := _LEADING_ZERO.fullmatch(text.strip()):
        raise ValueError(f"{text!r} starts with 0, which YAML 1.1 reads as an octal number; did you mean {match[1]}?")
    return value


def _split(text: str) -> tuple[str, str]:
    """Return the number and the suffix of a quantity."""
    match = _QUANTITY.fullmatch(text.strip())
    return (match["number"], match["suffix"] or "") if match else (text, "")


def seconds(duration: str) -> int:
    """Return a duration such as `90s`, `30m`, `12h` or `7d` in seconds.

    Raises:
        ValueError: the text is not a duration.
    """
    match = _DURATION.fullmatch(duration.strip())
    if not match:
        raise ValueError(f"{duration!r} is not a duration; write for example 90s, 30m, 12h or 7d")
    return int(match["number"]) * _SECONDS[match["unit"]]
