"""A plain HTTP client for load tests: persistent connections that each send one request after another."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Measurement:
    """Latencies of the successful requests in seconds, and the number of failed ones."""

    duration: float = 0.0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def requests_per_second(self) -> float:
        return len(self.latencies) / self.duration if self.duration else 0.0

    def percentile(self, percent: float) -> float:
        """Return the latency in milliseconds that `percent` of the requests do not exceed."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


async def measure(host: str, port: int, path: str, token: str, connections: int, seconds: float) -> Measurement:
    """Request the path over several connections for some seconds, after one request that is not counted."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    await _connection(host, port, request, perf_counter(), Measurement())
    result = Measurement()
    start = perf_counter()
    await asyncio.gather(*(_connection(host, port, request, start + seconds, result) for _ in range(connections)))
    result.duration = perf_counter() - start
    return result


async def _connection(host: str, port: int, request: bytes, end: float, result: Measurement) -> None:
    """Send requests until `end`, but at least one."""
    while True:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while True:
                start = perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.partition(b":")[2]))
                if head.startswith(b"HTTP/1.1 200 "):
                    result.latencies.append(perf_counter() - start)
                else:
                    result.errors += 1
                if perf_counter() >= end:
                    return
        except (OSError, EOFError, StopIteration):
            result.errors += 1
            if perf_counter() >= end:
                return
        finally:
            writer.close()
