"""The server that the tests of the stores use."""

from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.workplace import workplace

__all__ = ["bucket", "s3_endpoint", "workplace"]
