"""The servers that trainings from end to end fetch their data from, and the cluster that runs some of them."""

from tests.servers.argo import argo, site
from tests.servers.s3 import bucket, s3_endpoint
from tests.servers.step_runner import step_runner

__all__ = ["argo", "bucket", "s3_endpoint", "site", "step_runner"]
