"""One cluster, user or context of a kubeconfig: its fields, and the files that these name."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Unusable(Exception):
    """An entry cannot be used as it stands; the message tells why, without a secret."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`folder` is that of its file, from which the paths in it count."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    folder: Path = Path()

    def text(self, name: str) -> str:
        """A field as text; empty where it is not given or no text."""
        value = self.values.get(name)
        return "" if value is None or isinstance(value, dict | list | bool) else str(value).strip()

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty where there is none."""
        value = self.values.get(name)
        return [str(each).strip() for each in value] if isinstance(value, list) else []

    def is_on(self, name: str) -> bool:
        """Whether a field is `true`."""
        return self.values.get(name) is True

    def part(self, name: str) -> Entry:
        """A mapping within; empty where there is none."""
        value = self.values.get(name)
        return Entry(value if isinstance(value, dict) else {}, self.folder)

    def path(self, name: str) -> Path:
        """The file that a field names."""
        return self.folder / Path(self.text(name)).expanduser()

    def content(self, name: str) -> bytes:
        """What `<name>-data` holds in base64, else the file that `name` names; nothing where there is neither.

        Raises:
            Unusable: it is not base64, or the file cannot be read.
        """
        data = "".join(self.text(f"{name}-data").split())
        try:
            if data:
                return base64.b64decode(data, validate=True)
            return self.path(name).read_bytes() if self.text(name) else b""
        except OSError as error:
            raise Unusable(f"its {name} cannot be read: {self.path(name)} ({error.strerror})") from None
        except ValueError:
            raise Unusable(f"its {name}-data is not base64" if data else f"its {name} is no path") from None
