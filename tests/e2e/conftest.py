"""The server that trainings from end to end fetch their data from."""

from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.workplace import workplace

__all__ = ["bucket", "s3_endpoint", "workplace"]
