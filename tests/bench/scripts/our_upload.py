"""`our_upload.py FIELDS FILE KEY`: upload a file to the connection with these fields (JSON), as the step `package` does."""

import json
import os
import sys
from pathlib import Path

from odahu_argo.storage.factory import open_store

fields, file, key = sys.argv[1:]
store, _ = open_store(json.loads(fields))
with Path(file).open("rb") as source:
    store.upload(iter(lambda: source.read(2**20), b""), key, os.fstat(source.fileno()).st_size, owner="bench")
