"""`raw_download.py FILE [TARGET]`: read what its lines name, `ADDRESS BEGIN-END`, 16 at a time, by bare sockets.

It goes to nowhere, or to its place in the file TARGET where all lines are of one object.
"""

import http.client
import os
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

pieces = [line.split() for line in Path(sys.argv[1]).read_text().splitlines()]
waiting = iter(pieces)
taking = threading.Lock()
failed = []
target = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if len(sys.argv) > 2 else None


def fetch():
    server = urlsplit(pieces[0][0])
    connection = http.client.HTTPConnection(server.hostname, server.port)
    buffer = memoryview(bytearray(1024 * 1024))
    while True:
        with taking:
            piece = next(waiting, None)
        if piece is None:
            return
        address, asked = piece
        connection.request(
            "GET", address[len(f"{server.scheme}://{server.netloc}") :], headers={"Range": f"bytes={asked}"}
        )
        answer = connection.getresponse()
        if answer.status not in (200, 206):  # rclone says 200 of a piece, too
            failed.append(answer.status)
        place = int(asked.partition("-")[0])
        while count := answer.readinto(buffer):
            if target is not None:
                place += os.pwrite(target, buffer[:count], place)


threads = [threading.Thread(target=fetch) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(1 if failed else 0)
