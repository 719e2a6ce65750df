"""The keys that an OpenID provider signs its tokens with, by their ids (RFC 7517)."""

from __future__ import annotations

import json
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from odahu_argo.errors import ServiceFault

if TYPE_CHECKING:
    from jwt import PyJWK

FRESH = 300.0
"""Seconds after which keys are fetched again, so that a key that the provider has withdrawn is given up."""
STALE = 3600.0
"""Seconds for which keys are used while the provider cannot be reached."""
PAUSE = 5.0
"""Seconds between two fetches: tokens with invented key ids must not become requests to the provider."""
_PATIENCE = 5.0
"""Seconds to wait for the provider."""
_LARGEST = 1024 * 1024
"""Bytes."""


class ProviderKeys:
    """The keys at an address, fetched when they are first asked for and again when they are old or one is not known."""

    def __init__(self, address: str, pause: float = PAUSE) -> None:
        self._address = address
        self._pause = pause
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failed = False

    def find(self, key_id: object) -> PyJWK | None:
        """The key of that id; None where the provider has none.

        Raises:
            ServiceFault: the provider does not answer, and the key is not known.
        """
        if not isinstance(key_id, str):
            return None
        with self._lock:
            if (self._age() > FRESH or key_id not in self._keys) and self._may_try():
                self._fetch()
            known = self._keys.get(key_id) if self._age() < STALE else None
            if known is None and self._failed:
                raise ServiceFault("the keys that tokens are checked with cannot be fetched")
            return known

    def _age(self) -> float:
        return float("inf") if self._fetched is None else monotonic() - self._fetched

    def _may_try(self) -> bool:
        return self._tried is None or monotonic() - self._tried >= self._pause

    def _fetch(self) -> None:
        self._tried = monotonic()
        try:
            asked = Request(self._address, headers={"Accept": "application/json"})
            with urlopen(asked, timeout=_PATIENCE) as answer:
                self._keys = _signing_keys(json.loads(answer.read(_LARGEST)))
        except (OSError, ValueError, RecursionError):
            self._failed = True
        else:
            self._failed, self._fetched = False, monotonic()


def _signing_keys(answer: Any) -> dict[str, PyJWK]:
    """The keys for signatures. One that is of no use here, such as of an unknown kind, is passed over.

    Raises:
        ValueError: the answer is no set of keys.
    """
    from jwt import PyJWK, PyJWTError

    if not (isinstance(answer, dict) and isinstance(answer.get("keys"), list)):
        raise ValueError("not a JSON Web Key Set")
    found = {}
    for each in answer["keys"]:
        if isinstance(each, dict) and isinstance(each.get("kid"), str) and each.get("use", "sig") == "sig":
            try:
                found[each["kid"]] = PyJWK(each)
            except (PyJWTError, ValueError, TypeError):
                continue
    return found
