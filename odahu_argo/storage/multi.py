"""Many small requests at once, in the thread of whoever waits for one, by libcurl's multi interface."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from odahu_argo.storage.request import Answer, Asked, Authorize, Broken, let_in, tell

_KEPT_CONNECTIONS = 64
_NOTHING_TO_WAIT_FOR = 0.01
"""Seconds that are waited where libcurl has no socket to wait for, or too many for `select`."""

OnEnd = Callable[[Answer | Broken], None]


@dataclass(frozen=True, slots=True)
class _Request:
    """Known by its number, for handles are used again."""

    number: int
    answer: Answer
    on_end: OnEnd


class Multi:
    """Requests to one server, each on a connection of its own. They move on while their thread takes a `turn`."""

    def __init__(self, new_handle: Callable[[], Any], authorize: Authorize) -> None:
        """By such handles, each request as `authorize` lets it in."""
        from pycurl import M_MAXCONNECTS, CurlMulti

        self._new_handle, self._authorize = new_handle, authorize
        self._multi = CurlMulti()
        self._multi.setopt(M_MAXCONNECTS, _KEPT_CONNECTIONS)
        self._idle: list[Any] = []
        self._under_way: dict[Any, _Request] = {}
        self._begun = 0
        self._ended: deque[tuple[Any, Broken | None]] = deque()

    def begin(
        self, method: str, url: str, headers: Mapping[str, str], on_end: OnEnd, most: int = 0
    ) -> Callable[[], None]:
        """Begin to ask with GET or HEAD; `on_end` is told within a `turn`. Gives what is to be called to give it up.

        A body of more than `most` bytes breaks off; 0 means any number.
        """
        handle = self._idle.pop() if self._idle else self._new_handle()
        answer = Answer()
        tell(handle, let_in(Asked(method, url, headers), self._authorize))
        handle.setopt(handle.MAXFILESIZE_LARGE, most)
        # No code of ours runs within libcurl: what it raises there is printed and lost, as is a signal that comes then.
        handle.setopt(handle.HEADERFUNCTION, answer.lines.append)
        handle.setopt(handle.WRITEFUNCTION, answer.content.write)
        self._begun = number = self._begun + 1
        self._under_way[handle] = _Request(number, answer, on_end)
        self._multi.add_handle(handle)

        def give_up() -> None:
            if (request := self._under_way.get(handle)) and request.number == number:
                self._take_out(handle)

        return give_up

    def turn(self, seconds: float) -> bool:
        """Move on what has begun, and wait so long at most for more to come; False where nothing is under way."""
        if not self._under_way:
            return False
        self._multi.perform()
        _, whole, broken = self._multi.info_read()
        self._ended.extend((handle, None) for handle in whole)
        self._ended.extend((handle, Broken(number, words)) for handle, number, words in broken)
        if not self._ended:
            self._wait(seconds)
        while self._ended:
            handle, failure = self._ended.popleft()
            request = self._take_out(handle)
            request.answer.status = handle.getinfo(handle.RESPONSE_CODE)
            self._idle.append(handle)
            request.on_end(failure or request.answer)
        return True

    def _wait(self, seconds: float) -> None:
        if not any(self._multi.fdset()):
            time.sleep(min(seconds, _NOTHING_TO_WAIT_FOR))
        else:
            self._multi.select(seconds)

    def _take_out(self, handle: Any) -> _Request:
        from pycurl import error

        request = self._under_way.pop(handle)
        with suppress(error):
            self._multi.remove_handle(handle)
        handle.unsetopt(handle.HEADERFUNCTION)
        handle.unsetopt(handle.WRITEFUNCTION)
        return request
