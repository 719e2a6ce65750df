"""`azure_download.py CONNECTION_STRING CONTAINER FOLDER`: download a container with the SDK, in parallel ranges."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from azure.storage.blob import ContainerClient

connection, container, folder = sys.argv[1:]
Path(folder).mkdir(parents=True)
client = ContainerClient.from_connection_string(connection, container)


def fetch(name):
    with Path(folder, name).open("wb") as file:
        client.download_blob(name, max_concurrency=8).readinto(file)


with ThreadPoolExecutor(8) as pool:
    list(pool.map(fetch, [blob.name for blob in client.list_blobs()]))
