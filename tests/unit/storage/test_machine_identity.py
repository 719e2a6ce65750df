"""Connections without a key, which use the identity of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from odahu_argo.contract import EXIT_OK, EXIT_USER_ERROR, DownloadSpec
from tests.servers.azure import ACCOUNT, KEY, Container, running_azurite
from tests.servers.gcs import GcsBucket
from tests.servers.identity import Cloud
from tests.servers.programs import free_port
from tests.servers.s3 import Bucket
from tests.servers.step_runner import EndedStep, StepRunner

AWS = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1"}


def download(step_runner: StepRunner, fields: dict[str, str], **environment: str) -> EndedStep:
    step_runner.repository.mkdir()
    step_runner.connect("data", fields)
    return step_runner.run_process(DownloadSpec("data", "in/", "a.csv"), **environment)


def without_key(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in ("keyID", "keySecret")}


def assert_downloaded(step_runner: StepRunner, ended: EndedStep) -> None:
    assert ended.code == EXIT_OK, ended.log
    assert (step_runner.repository / "in/a.csv").read_bytes() == b"content"


def test_s3_uses_the_instance_metadata(step_runner: StepRunner, bucket: Bucket) -> None:
    bucket.put_all({"a.csv": b"content"})
    # moto serves instance metadata too
    ended = download(
        step_runner, without_key(bucket.fields()), AWS_EC2_METADATA_SERVICE_ENDPOINT=bucket.endpoint, **AWS
    )
    assert_downloaded(step_runner, ended)


def test_s3_uses_the_role_of_the_service_account(step_runner: StepRunner, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put_all({"a.csv": b"content"})
    (tmp_path / "token").write_text("a token of Kubernetes")
    pod = {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/trainer",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ENDPOINT_URL_STS": bucket.endpoint,
    }
    assert_downloaded(step_runner, download(step_runner, without_key(bucket.fields()), **pod))


def test_gcs_uses_the_metadata_server(step_runner: StepRunner, gcs_bucket: GcsBucket, cloud: Cloud) -> None:
    gcs_bucket.put_all({"a.csv": b"content"})
    fields = {"type": "gcs", "uri": gcs_bucket.url("")}
    ended = download(step_runner, fields, STORAGE_EMULATOR_HOST=gcs_bucket.endpoint, **cloud.google())
    assert_downloaded(step_runner, ended)
    assert any(path.endswith("/token") for path in cloud.requests)


def test_azure_uses_the_managed_identity(step_runner: StepRunner, cloud: Cloud, tmp_path: Path) -> None:
    """Azurite accepts identities over https only."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"), "--oauth", "basic"]
    (tmp_path / "server").mkdir()
    with running_azurite(tmp_path / "server", *tls) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        container = Container(f"https://127.0.0.1:{server.port}/{ACCOUNT}", "container")
        with container.client as client:
            client.create_container()
        container.put_all({"a.csv": b"content"})
        ended = download(step_runner, without_key(container.fields()), **cloud.azure())
    assert_downloaded(step_runner, ended)
    assert cloud.requests == ["/msi/token"]
    assert KEY not in ended.log


NOWHERE = f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("fields", "environment", "words"),
    [
        pytest.param(
            {"type": "s3", "uri": "s3://bucket"},
            {**AWS, "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{NOWHERE}"},
            "there are no credentials for s3://bucket\n  hint: set keyID and keySecret of the connection, or use",
            id="s3",
        ),
        pytest.param(
            {"type": "gcs", "uri": "gs://bucket"},
            {"GCE_METADATA_HOST": NOWHERE, "GCE_METADATA_IP": NOWHERE, "GCE_METADATA_DETECT_RETRIES": "1"},
            "there are no credentials\n  hint: set keySecret of the connection, or use",
            id="gcs",
        ),
        pytest.param(
            {"type": "azureblob", "uri": f"https://{ACCOUNT}.blob.core.windows.net/container"},
            {"HTTP_PROXY": f"http://{NOWHERE}"},  # on the way to the metadata service of a machine in Azure
            "this machine has no identity in Azure\n  hint: set keySecret of the connection, or use",
            id="azure",
        ),
    ],
)
def test_machine_without_identity(
    step_runner: StepRunner, fields: dict[str, str], environment: dict[str, str], words: str
) -> None:
    ended = download(step_runner, fields, **environment)
    assert ended.code == EXIT_USER_ERROR
    assert words in ended.message
    assert "Traceback" not in ended.log
