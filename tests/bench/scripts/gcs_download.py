"""`gcs_download.py ENDPOINT BUCKET FOLDER`: download a bucket with the SDK's transfer manager and its defaults."""

import sys
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client, transfer_manager

if __name__ == "__main__":
    endpoint, name, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True)
    client = Client("bench", AnonymousCredentials(), client_options={"api_endpoint": endpoint})
    bucket = client.bucket(name)
    blobs = list(client.list_blobs(name))
    if len(blobs) == 1:
        transfer_manager.download_chunks_concurrently(blobs[0], f"{folder}/{blobs[0].name}", worker_type="thread")
    else:
        results = transfer_manager.download_many_to_path(
            bucket, [blob.name for blob in blobs], destination_directory=folder, worker_type="thread"
        )
        for result in results:
            if isinstance(result, Exception):
                raise result
