"""`boto3_upload.py ENDPOINT BUCKET FILE KEY`: upload a file with boto3's transfer manager and its defaults."""

import sys

import boto3

endpoint, bucket, file, key = sys.argv[1:]
boto3.client("s3", endpoint_url=endpoint).upload_file(file, bucket, key)
