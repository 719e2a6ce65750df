"""`raw_download.py ADDRESS…`: read the addresses to nowhere, 16 at a time, by bare sockets: what the server can give."""

import http.client
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

addresses = Path(sys.argv[1]).read_text().split()
waiting = iter(addresses)
taking = threading.Lock()
failed = []


def fetch():
    server = urlsplit(addresses[0])
    connection = http.client.HTTPConnection(server.hostname, server.port)
    buffer = memoryview(bytearray(1024 * 1024))
    while True:
        with taking:
            address = next(waiting, None)
        if address is None:
            return
        connection.request("GET", address[len(f"{server.scheme}://{server.netloc}") :])
        answer = connection.getresponse()
        if answer.status != 200:
            failed.append(answer.status)
        while answer.readinto(buffer):
            pass


threads = [threading.Thread(target=fetch) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(1 if failed else 0)
