"""Lines as they come, from a thread of their own to a response."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress

from odahu_argo.errors import OdahuArgoError

_AHEAD = 256
"""Lines that are read before the client has taken them."""


async def streamed(lines: Iterator[str], is_over: threading.Event | None = None) -> AsyncIterator[bytes]:
    """Lines as UTF-8, each with its line break, as many at once as there are.

    A fault on the way is told in the last line: the status was sent long ago.

    A silent log holds no thread of the server's pool, and does not keep the process from ending. `is_over` is set when the
    client has gone.
    """
    loop = asyncio.get_running_loop()
    read: deque[str | None] = deque()
    has_come, room = asyncio.Event(), threading.Semaphore(_AHEAD)
    is_over = is_over or threading.Event()

    def put(line: str | None) -> None:
        room.acquire()
        read.append(line)
        loop.call_soon_threadsafe(has_come.set)

    def pump() -> None:
        try:
            for line in lines:
                if is_over.is_set():
                    return
                put(line)
        except OdahuArgoError as error:
            put(f"error: {error.problems[0].message}")
        finally:
            if isinstance(lines, Generator):
                lines.close()
            with suppress(RuntimeError):
                put(None)

    threading.Thread(target=pump, daemon=True).start()
    try:
        has_ended = False
        while not has_ended:
            await has_come.wait()
            has_come.clear()
            if taken := [read.popleft() for _ in range(len(read))]:
                room.release(len(taken))
                has_ended = None in taken
                yield "".join(f"{line}\n" for line in taken if line is not None).encode()
    finally:
        is_over.set()
        room.release(2)
