"""`raw_download.py FILE [TARGET]`: read the ranges in FILE, one `URL BEGIN-END` per line, over 16 connections.

Discards the data, or writes it to TARGET if all lines refer to one object.
"""

import http.client
import os
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

pieces = [line.split() for line in Path(sys.argv[1]).read_text().splitlines()]
waiting = iter(pieces)
lock = threading.Lock()
failed = []
target = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if len(sys.argv) > 2 else None


def fetch():
    server = urlsplit(pieces[0][0])
    connection = http.client.HTTPConnection(server.hostname, server.port)
    buffer = memoryview(bytearray(1024 * 1024))
    while True:
        with lock:
            piece = next(waiting, None)
        if piece is None:
            return
        url, byte_range = piece
        connection.request(
            "GET", url[len(f"{server.scheme}://{server.netloc}") :], headers={"Range": f"bytes={byte_range}"}
        )
        response = connection.getresponse()
        if response.status not in (200, 206):  # rclone returns 200 for a range, too
            failed.append(response.status)
        offset = int(byte_range.partition("-")[0])
        while count := response.readinto(buffer):
            if target is not None:
                offset += os.pwrite(target, buffer[:count], offset)


threads = [threading.Thread(target=fetch) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(1 if failed else 0)
