"""Logs as text for many readers. Each followed log is read once, whatever the number of its readers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile

from odahu_argo.errors import OdahuArgoError, ServiceFault

MAX_LOGS = 64
"""Logs that one server reads at the same time. Each needs a thread."""
MEMORY_BYTES = 1024 * 1024
"""Longer logs are buffered in a temporary file."""
_CHUNK_BYTES = 64 * 1024

OpenLog = Callable[[threading.Event], Iterator[str]]
"""Opens a log and returns its lines. Reading ends soon after the event is set."""


class TooManyLogs(ServiceFault):
    """The limit of logs that are read at the same time is reached."""

    http_status = 429


class LogStreams:
    """The logs that clients of one server are reading. Use it from one event loop."""

    def __init__(self, max_logs: int = MAX_LOGS) -> None:
        self._max_logs = max_logs
        self._logs: dict[Hashable, _Log] = {}

    async def open(self, open_log: OpenLog, key: Hashable | None = None) -> LogReader:
        """Open a log. Close the reader when its client disconnects.

        Readers with the same key share one thread, which starts with the first and ends with the last of them.

        Raises:
            TooManyLogs: The limit is reached.
            OdahuArgoError: `open_log` fails.
        """
        log = self._shared(key)
        if log is None:
            self._require_free()
            stop = threading.Event()
            lines = await asyncio.to_thread(open_log, stop)
            log = self._shared(key) or self._start(object() if key is None else key, lines, stop)
        return LogReader(log)

    def _shared(self, key: Hashable | None) -> _Log | None:
        return None if key is None else self._logs.get(key)

    def _start(self, key: Hashable, lines: Iterator[str], stop: threading.Event) -> _Log:
        def forget() -> None:
            if self._logs.get(key) is log:
                del self._logs[key]

        self._require_free()
        log = _Log(lines, stop, asyncio.get_running_loop(), forget)
        self._logs[key] = log
        threading.Thread(target=log.fill, daemon=True).start()
        return log

    def _require_free(self) -> None:
        if len(self._logs) >= self._max_logs:
            raise TooManyLogs(
                f"{self._max_logs} logs are being read already", hint="try again when another reader has finished"
            )


class LogReader:
    """One client's position in a log."""

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._changed = asyncio.Event()
        log.readers.add(self._changed)

    async def batches(self) -> AsyncIterator[list[str]]:
        """Yield all lines, from the first one, in lists of all that are available.

        An error becomes the last line `error: …`, because a status code has already been sent.
        """
        position, rest = 0, b""
        while True:
            self._changed.clear()
            has_ended = self._log.has_ended
            if chunk := self._log.read(position):
                position += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield [line.decode() for line in lines]
            elif has_ended:
                if self._log.error:
                    yield [self._log.error]
                return
            else:
                await self._changed.wait()

    def close(self) -> None:
        """Stop reading the log if there is no other reader."""
        self._log.remove(self._changed)


@dataclass(eq=False)
class _Log:
    """Lines that a thread appends to a buffer, for any number of readers with their own pace.

    The thread is a daemon: a silent log does not delay the end of the process.
    """

    lines: Iterator[str]
    stop: threading.Event
    loop: asyncio.AbstractEventLoop
    forget: Callable[[], None]
    has_ended: bool = False
    error: str = ""
    readers: set[asyncio.Event] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_notified: bool = False

    def __post_init__(self) -> None:
        self._buffer = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  # closed after the end by the last user

    def fill(self) -> None:
        """Append all lines. The body of the thread."""
        try:
            for line in self.lines:
                if self.stop.is_set():
                    break
                self._append(f"{line}\n".encode())
        except OdahuArgoError as error:
            self.error = f"error: {error.problems[0].message}"
        except OSError as error:
            self.error = f"error: the log cannot be buffered: {error.strerror}"
        finally:
            if isinstance(self.lines, Generator):
                self.lines.close()
            self.has_ended = True
            self._call(self._end)

    def read(self, position: int) -> bytes:
        """Return a part of the buffer, or nothing if all of it has been read."""
        with self._lock:
            self._buffer.seek(position)
            return self._buffer.read(_CHUNK_BYTES)

    def remove(self, reader: asyncio.Event) -> None:
        """Remove a reader. After the last one, stop the thread."""
        self.readers.discard(reader)
        if not self.readers:
            self.stop.set()
            self.forget()
            self._close_if_unused()

    def _append(self, data: bytes) -> None:
        with self._lock:
            self._buffer.seek(0, 2)
            self._buffer.write(data)
        if not self._is_notified:
            self._is_notified = True
            self._call(self._notify)

    def _call(self, callback: Callable[[], None]) -> None:
        """Run a callback in the event loop, unless the loop has ended."""
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            self._buffer.close()

    def _notify(self) -> None:
        self._is_notified = False
        for reader in self.readers:
            reader.set()

    def _end(self) -> None:
        self.forget()
        self._notify()
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self.has_ended and not self.readers:
            self._buffer.close()
