"""`zipfile_upload.py FOLDER ZIP ENDPOINT BUCKET`: zip with Python's zipfile, then upload with boto3."""

import sys
import zipfile
from pathlib import Path

import boto3

folder, archive, endpoint, bucket = sys.argv[1:]
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
    for file in sorted(Path(folder).rglob("*")):
        target.write(file, file.relative_to(folder))
boto3.client("s3", endpoint_url=endpoint).upload_file(archive, bucket, "zipfile.zip")
