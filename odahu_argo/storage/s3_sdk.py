"""boto3's client for a connection to S3."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from odahu_argo.errors import UserError
from odahu_argo.storage.s3_key import Keys
from odahu_argo.storage.s3_reading import Place

# Else boto3 signs by awscrt, which prints a traceback for an upload that is stopped. It is asked when boto3 is imported.
os.environ.setdefault("BOTO_DISABLE_CRT", "true")
DEFAULT_REGION = "us-east-1"
_CONNECTIONS = 64
_ANY_KEY = "any-key"


@dataclass(frozen=True, slots=True)
class Boto3:
    """A client, and the credentials that it signs with, renewed when they expire; None where there are none."""

    client: Any
    credentials: Any = field(repr=False)

    def keys(self) -> Keys:
        """The credentials of this moment."""
        own = self.credentials.get_frozen_credentials()
        return Keys(own.access_key, own.secret_key, own.token)

    def place(self, bucket: str) -> Place:
        """Where the client would look for the bucket, which this machine's AWS settings have a say in."""
        url = urlsplit(self.client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": _ANY_KEY}))
        path = url.path.removesuffix(f"/{_ANY_KEY}")
        return Place(f"{url.scheme}://{url.netloc}{path}", self.client.meta.region_name)


def access_key(fields: Mapping[str, str]) -> tuple[str, str]:
    """`keyID` and `keySecret` of a connection; both empty where it leaves the identity to the machine.

    Raises:
        UserError: one of them is missing.
    """
    key_id, secret = fields.get("keyID", ""), fields.get("keySecret", "")
    if bool(key_id) != bool(secret):
        given, missing = ("keyID", "keySecret") if key_id else ("keySecret", "keyID")
        raise UserError(
            f"the connection has {given} but no {missing}", hint="give both, or none to use the pod's identity"
        )
    return key_id, secret


def connect_boto3(fields: Mapping[str, str]) -> Boto3:
    """The client for a connection's fields; nothing is sent yet, but for a role that is to be assumed.

    Raises:
        UserError: the fields do not go together.
    """
    import boto3
    from botocore.config import Config

    endpoint = fields.get("endpoint") or None
    key_id, secret = access_key(fields)
    session = boto3.Session(
        aws_access_key_id=key_id or None, aws_secret_access_key=secret or None, region_name=fields.get("region") or None
    )
    region = session.region_name or DEFAULT_REGION
    if role := fields.get("role"):
        session = _assuming(session, role, region, endpoint)
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"max_attempts": 4, "mode": "standard"},
        max_pool_connections=_CONNECTIONS,
        s3={"addressing_style": "path"} if endpoint else None,
        request_checksum_calculation="when_required" if endpoint else None,
        response_checksum_validation="when_required" if endpoint else None,
    )
    client = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    return Boto3(client, session.get_credentials())


def _assuming(session: Any, role: str, region: str, endpoint: str | None) -> Any:
    """A session with the role's credentials, renewed before they expire; other servers than Amazon's answer STS too."""
    import boto3
    import botocore.session
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialProvider,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )

    def sts_client(service: str, **credentials: Any) -> Any:
        return session.client(
            "sts",
            region_name=region,
            endpoint_url=endpoint,
            **{k: v for k, v in credentials.items() if k.startswith("aws_")},
        )

    source = session.get_credentials()
    if source is None:
        raise UserError(
            f"there are no credentials to assume the role {role} with",
            hint="give keyID and keySecret, or run with a service account that has an identity",
        )
    fetcher = AssumeRoleCredentialFetcher(sts_client, source, role, extra_args={"RoleSessionName": "odahu-argo"})

    class Role(CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = "odahu-argo-role"

        def load(self) -> Any:
            return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    assumed = botocore.session.Session()
    assumed.register_component("credential_provider", CredentialResolver([Role()]))
    return boto3.Session(botocore_session=assumed, region_name=region)
