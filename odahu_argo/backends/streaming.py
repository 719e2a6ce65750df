"""Stream lines from a background thread to a response."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress

from odahu_argo.errors import OdahuArgoError

MAX_BUFFERED_LINES = 256


async def stream_lines(lines: Iterator[str], stop: threading.Event | None = None) -> AsyncIterator[bytes]:
    """Yield lines as UTF-8, each with a line break, and as many at once as are available.

    An error after the start becomes the last line, because the status code has already been sent. The lines are read in a
    daemon thread: a silent log blocks no thread of the server's pool and does not delay the end of the process. `stop` is set
    when the client disconnects.
    """
    loop = asyncio.get_running_loop()
    buffer: deque[str | None] = deque()
    available, free = asyncio.Event(), threading.Semaphore(MAX_BUFFERED_LINES)
    stop = stop or threading.Event()

    def put(line: str | None) -> None:
        free.acquire()
        buffer.append(line)
        loop.call_soon_threadsafe(available.set)

    def read() -> None:
        try:
            for line in lines:
                if stop.is_set():
                    return
                put(line)
        except OdahuArgoError as error:
            put(f"error: {error.problems[0].message}")
        finally:
            if isinstance(lines, Generator):
                lines.close()
            with suppress(RuntimeError):
                put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        has_ended = False
        while not has_ended:
            await available.wait()
            available.clear()
            if chunk := [buffer.popleft() for _ in range(len(buffer))]:
                free.release(len(chunk))
                has_ended = None in chunk
                yield "".join(f"{line}\n" for line in chunk if line is not None).encode()
    finally:
        stop.set()
        free.release(2)
