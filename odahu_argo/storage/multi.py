"""Many small requests at once, in the thread of whoever waits for one, by libcurl's multi interface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from odahu_argo.storage.asking import Answer, Asked, Authorize, Broken, prepare

_CONNECTIONS = 50


OnEnd = Callable[[Answer | Broken], None]


class Multi:
    """Requests to one server, at most fifty at once; others wait. They move on while somebody takes a `turn`."""

    def __init__(self, new_handle: Callable[[], Any], authorize: Authorize) -> None:
        """By such handles, each request as `authorize` lets it in."""
        from pycurl import M_MAX_HOST_CONNECTIONS, M_MAXCONNECTS, CurlMulti

        self._new_handle, self._authorize = new_handle, authorize
        self._multi = CurlMulti()
        self._multi.setopt(M_MAX_HOST_CONNECTIONS, _CONNECTIONS)
        self._multi.setopt(M_MAXCONNECTS, _CONNECTIONS)
        self._idle: list[Any] = []
        self._under_way: dict[Any, tuple[Answer, OnEnd]] = {}
        self._lock = threading.RLock()

    def begin(
        self, method: str, url: str, headers: Mapping[str, str], on_end: OnEnd, most: int = 0
    ) -> Callable[[], None]:
        """Begin to ask with GET or HEAD; `on_end` is told within a `turn`. Gives what is to be called to give it up.

        A body of more than `most` bytes breaks off; 0 means any number.
        """
        with self._lock:
            handle = self._idle.pop() if self._idle else self._new_handle()
            answer = Answer()
            prepare(Asked(handle, method, url), self._authorize, headers)
            handle.setopt(handle.MAXFILESIZE_LARGE, most)
            # No code of ours runs within libcurl: what it raises there is printed and lost, as is a signal that comes then.
            handle.setopt(handle.HEADERFUNCTION, answer.lines.append)
            handle.setopt(handle.WRITEFUNCTION, answer.content.write)
            self._multi.add_handle(handle)
            self._under_way[handle] = answer, on_end

        def give_up() -> None:
            with self._lock:
                if self._under_way.pop(handle, None):
                    self._multi.remove_handle(handle)

        return give_up

    def turn(self, seconds: float) -> bool:
        """Move on what has begun, and wait so long at most for more to come; False where nothing is under way."""
        with self._lock:
            if not self._under_way:
                return False
            self._multi.perform()
            if not self._end_what_has_ended():
                self._multi.select(seconds)
            return True

    def _end_what_has_ended(self) -> bool:
        _, whole, broken = self._multi.info_read()
        for handle in whole:
            answer, on_end = self._take_out(handle)
            answer.status = handle.getinfo(handle.RESPONSE_CODE)
            on_end(answer)
        for handle, number, words in broken:
            _, on_end = self._take_out(handle)
            on_end(Broken(number, words))
        return bool(whole or broken)

    def _take_out(self, handle: Any) -> tuple[Answer, OnEnd]:
        self._multi.remove_handle(handle)
        self._idle.append(handle)
        return self._under_way.pop(handle)
