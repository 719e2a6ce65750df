"""Lines as they come, from a thread of their own to a response."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress

from odahu_argo.errors import OdahuArgoError

_AHEAD = 256
"""Lines that are read before the client has taken them."""


async def streamed(lines: Iterator[str], is_over: threading.Event | None = None) -> AsyncIterator[bytes]:
    """Each line as UTF-8 with its line break. A fault on the way is told in the last line: the status was sent long ago.

    A silent log holds no thread of the server's pool, and does not keep the process from ending. `is_over` is set when the
    client has gone.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue(_AHEAD)
    is_over = is_over or threading.Event()

    def put(line: str | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()

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
        while (line := await queue.get()) is not None:
            yield f"{line}\n".encode()
    finally:
        is_over.set()
        while not queue.empty():
            queue.get_nowait()
