"""A log as a response that ends when its client disconnects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from threading import Event

from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from odahu_argo.backends.base import Trainings
from odahu_argo.backends.streaming import LogReader, LogStreams
from odahu_argo.trainings.events import LogEvent, LogLine

MEDIA_TYPE = "text/plain; charset=utf-8"


class LogResponse(StreamingResponse):
    """The lines of a log, each changed by `edit`. Closes the reader also if nothing has been sent."""

    def __init__(
        self, reader: LogReader, headers: Mapping[str, str] | None = None, edit: Callable[[str], str] = str
    ) -> None:
        super().__init__(_encode(reader, edit), headers=headers, media_type=MEDIA_TYPE)
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.close()


async def open_log(streams: LogStreams, trainings: Trainings, training_id: str, is_following: bool) -> LogReader:
    """Open the log of a training. All followers of a run share one reader of its log.

    Raises:
        NotFound: The training does not exist.
        TooManyLogs: Too many logs are being read.
    """

    def read(stop: Event) -> Iterator[str]:
        return map(_to_text, trainings.logs(training_id, is_following=is_following, stop=stop))

    if not is_following:
        return await streams.open(read)
    newest = (await run_in_threadpool(trainings.get, training_id)).newest
    return await streams.open(read, (training_id, newest.workflow, newest.number, newest.created))


async def _encode(reader: LogReader, edit: Callable[[str], str]) -> AsyncIterator[bytes]:
    async for lines in reader.batches():
        yield "".join(f"{edit(line)}\n" for line in lines).encode()


def _to_text(event: LogEvent) -> str:
    """Prefix a line with the name of its step. Notes have no prefix."""
    return f"{event.step} | {event.text}" if isinstance(event, LogLine) else event.text
