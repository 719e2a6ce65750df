"""`boto3_download.py ENDPOINT BUCKET FOLDER`: download a bucket with boto3's transfer manager, as `aws s3 cp` does."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

endpoint, bucket, folder = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=64))
config = TransferConfig()
keys = [
    entry["Key"]
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for entry in page.get("Contents", [])
]
Path(folder).mkdir(parents=True)
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda key: client.download_file(bucket, key, f"{folder}/{key}", Config=config), keys))
