"""Many clients that follow logs, and leave. The server and the trainings' locks are real; the tests write the logs."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from odahu_argo.local.home import Home
from odahu_argo.local.lock import training_lock
from odahu_argo.local.store import TrainingStore
from tests.servers.api import ApiClient, server_process

TRAININGS = "/api/v1/model/training"
CLIENTS = 200
MAX_THREADS = 80
"""The main thread, 40 of Starlette, at most 32 of asyncio, and a few for logs that are ending."""


@dataclass
class Running:
    """A server, its process, and running trainings whose logs tests write."""

    home: Home
    api: ApiClient
    process: psutil.Process
    stack: ExitStack

    def start(self, training_id: str) -> None:
        """Record a running training; this process is its engine."""
        store = TrainingStore(self.home.store_file)
        store.save(replace(store.get("wine"), id=training_id, state="running"))
        self.stack.enter_context(training_lock(self.home, training_id))
        self.home.run(training_id).logs.mkdir(parents=True)
        self.print(training_id, "started")

    def print(self, training_id: str, line: str) -> None:
        with self.home.run(training_id).log("train").open("a") as log:
            log.write(f"{line}\n")

    def end(self, training_id: str) -> None:
        store = TrainingStore(self.home.store_file)
        store.save(replace(store.get(training_id), state="succeeded"))

    def follow(self, training_id: str, path: str = f"{TRAININGS}/{{}}/log?follow=true") -> socket.socket:
        """Send a request for a followed log. The caller closes the connection."""
        client = socket.create_connection(("127.0.0.1", int(self.api.url.rpartition(":")[2])), timeout=60)
        self.stack.callback(client.close)
        lines = (
            f"GET {path.format(training_id)} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.api.token}",
        )
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        return client


@pytest.fixture
def running(make_home: Callable[[Path], Home], tmp_path: Path) -> Iterator[Running]:
    home = make_home(tmp_path / "home")
    with (
        server_process("--local", "--port", "0", ODAHU_ARGO_HOME=str(home.root)) as (process, url, token),
        ApiClient(url, token) as api,
        ExitStack() as stack,
    ):
        yield Running(home, api, psutil.Process(process.pid), stack)


def wait_until(condition: Callable[[], bool], message: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, message
        time.sleep(0.1)


def read_until(client: socket.socket, text: bytes) -> bytes:
    received = b""
    while text not in received:
        chunk = client.recv(65536)
        assert chunk, received
        received += chunk
    return received


def test_all_followers_of_a_training_count_as_one_log(running: Running) -> None:
    running.start("silent")
    clients = [running.follow("silent") for _ in range(CLIENTS)]
    for client in clients:
        read_until(client, b"train | started")
    running.print("silent", "epoch 1")
    for client in clients:
        read_until(client, b"train | epoch 1")


def test_silent_logs_leave_no_threads_after_their_clients(running: Running) -> None:
    running.start("silent")
    for wait in (True, False, True):
        clients = [running.follow("silent") for _ in range(CLIENTS)]
        for client in clients:
            if wait:
                read_until(client, b"train | started")
            client.close()
        wait_until(lambda: len(running.process.net_connections()) == 1, "connections remain")
    wait_until(lambda: running.process.num_threads() <= MAX_THREADS, "threads remain")
    for number in range(64):
        running.start(f"t{number}")
        assert b" 200 OK" in read_until(running.follow(f"t{number}"), b"\r\n\r\n"), "a log of clients that left counts"


def test_limit_of_followed_logs_is_429(running: Running) -> None:
    clients = []
    for number in range(65):
        running.start(f"t{number}")
        clients.append(running.follow(f"t{number}"))
        if number < 64:
            read_until(clients[-1], b"started")
    assert clients[64].recv(12) == b"HTTP/1.1 429"
    refused = running.api.get("/trainings/t64/log?follow=true")
    assert (refused.status_code, "64 logs" in refused.text) == (429, True)
    again = running.follow("t0")
    read_until(again, b"train | started")
    for client in clients[1:]:
        client.close()
    wait_until(lambda: running.api.get(f"{TRAININGS}/wine/log").status_code == 200, "logs of clients that left count")


def test_all_readers_get_the_whole_log(running: Running) -> None:
    """Readers join at different times and read at different speeds. The log is larger than the memory for it."""
    running.start("long")
    early = running.follow("long")
    lines = [f"{number} " + "é" * 500 for number in range(4000)]
    running.print("long", "\n".join(lines))
    late = running.follow("long", "/trainings/{}/log?follow=true")
    read_until(late, b"train | 100 ")
    running.end("long")
    whole = running.api.get(f"{TRAININGS}/long/log")
    expected = "".join(f"train | {line}\n" for line in ["started", *lines])
    assert whole.text == expected
    for client in (early, late):
        assert b"train | 3999 " in read_until(client, b"\r\n0\r\n\r\n")
